"""Why the command line refused something; `cli/messages` has a text for each class.

* CivregError
  + CliError
    x UsageError             the command line itself is wrong
      + NoSuchCommandError
      + NoSuchOptionError
      + MissingParameterError
      + BadParameterError
    x NotFoundError          what was asked for does not exist
      + NoSuchFileError
    x FileTakenError         a file stands where a new one was to be written
    x FileAccessError        the system does not let us read or write it
    x ImportUnfinishedError  an import was interrupted and must be resumed
    x ImportStoppedError     an import stopped while entries may have been under way
    x ImportedElsewhereError  a file came in under another source name already
    x NodesRunningError      the nodes that were to be started run already
    x PartMissingError       agencies of a template have given no part
    x PartTwiceError         two files are the part of one agency
    x ForeignPartError       a file is a part of another template
    x PartUnsignedError      too few of an agency's governors have signed its part
    x PartSignatureError     a signature of a part does not verify
    x ServiceKeysMissingError  keys of an agency's node are not in the home folder
    x ConsensusKeyUsedError  a consensus key has a home already
    x KeyNeededError         a private key is needed and none was given
    x InvalidInputError      a form, a mapping or another file of the user is wrong
      + RegisterFileError    nothing of a register's file can be imported (`import_problems`)
    x NoNetworkError         no node answers
    x CancelledError         the person said no, or pressed Ctrl-C
    x OptimizedPythonError   python -O would drop the assertions
    x RemoteRefusalError     a node refused, with a stable code of its own
    x InternalFaultError     a fault of civreg itself
"""

from keys.errors import CivregError


class CliError(CivregError):
    """The command line refused something."""

    code = "cli.error"


class UsageError(CliError):
    """The command line itself is wrong."""

    code = "cli.usage"


class NoSuchCommandError(UsageError):
    """There is no command of this name; details: name, nearest (may be empty)."""

    code = "cli.no_such_command"


class NoSuchOptionError(UsageError):
    """There is no option of this name; details: name, nearest (may be empty)."""

    code = "cli.no_such_option"


class MissingParameterError(UsageError):
    """An argument or option is missing; details: name."""

    code = "cli.missing_parameter"


class BadParameterError(UsageError):
    """An argument or option has a value it cannot have; details: name."""

    code = "cli.bad_parameter"


class NotFoundError(CliError):
    """What was asked for does not exist; details: name."""

    code = "cli.not_found"


class NoSuchFileError(NotFoundError):
    """There is no such file; details: name."""

    code = "cli.no_such_file"


class FileTakenError(CliError):
    """A file stands where a new one was to be written; details: name."""

    code = "cli.file_exists"


class FileAccessError(CliError):
    """The system does not let us read or write a file; details: name, reason."""

    code = "cli.file_access"


class ImportUnfinishedError(CliError):
    """An import of the same file was interrupted, and `--resume` was not given; details: name."""

    code = "cli.import_unfinished"


class ImportStoppedError(CliError):
    """An import stopped on its way; its journal knows what was sent; details: under_way."""

    code = "cli.import_stopped"


class ImportedElsewhereError(CliError):
    """Rows of a file came in under another source name already; details: source, count."""

    code = "cli.import_elsewhere"


class NodesRunningError(CliError):
    """The nodes that were to be started run already; details: name, the agencies."""

    code = "cli.nodes_running"


class PartMissingError(CliError):
    """Agencies of a template have given no part; details: agency, their names."""

    code = "cli.part_missing"


class PartTwiceError(CliError):
    """Two files are the part of one agency; details: agency, name, other."""

    code = "cli.part_twice"


class ForeignPartError(CliError):
    """A file is a part of another template; details: name."""

    code = "cli.part_foreign"


class PartUnsignedError(CliError):
    """Too few governors have signed a part, or a stranger; details: name, agency, needed."""

    code = "cli.part_unsigned"


class PartSignatureError(CliError):
    """A signature of a part does not verify; details: name, agency."""

    code = "cli.part_signature"


class ServiceKeysMissingError(CliError):
    """Keys of an agency's node are not in the home folder; details: agency, names."""

    code = "cli.service_keys_missing"


class ConsensusKeyUsedError(CliError):
    """A consensus key has the home of a node already; details: agency, name."""

    code = "cli.consensus_key_used"


class KeyNeededError(CliError):
    """A private key is needed and none was given; details: purpose."""

    code = "cli.key_needed"


class SealKeyNeededError(KeyNeededError):
    """An officer reads with the agency's seal key, which is not at hand; details: agency."""

    code = "cli.seal_key_needed"


class NotReaderError(CliError):
    """A record is sealed to other agencies than the officer's; details: agency, keeper."""

    code = "cli.not_a_reader"


class AlreadySignedError(CliError):
    """Whoever would sign a draft has signed it; details: names."""

    code = "cli.already_signed"


class AccessNeededError(CliError):
    """A sealed body is opened to an officer after an access, and none was filed."""

    code = "cli.access_needed"


class InvalidInputError(CliError):
    """A form, a mapping or another file of the user is wrong; details: name."""

    code = "cli.invalid_input"


class CopyShortError(CliError):
    """A copy ends before a block that the trust bundle certifies; details: height, index."""

    code = "cli.copy_short"


class NoTrustBundleError(CliError):
    """A document is to be checked, and nothing says whom to believe."""

    code = "cli.no_trust_bundle"


class NoNetworkError(CliError):
    """No node answers; details: address."""

    code = "cli.no_network"


class CancelledError(CliError):
    """The person said no or pressed Ctrl-C; nothing is on its way that was not told of."""

    code = "cli.cancelled"


class OptimizedPythonError(CliError):
    """Python runs with -O, which drops assertions that guard the ledger."""

    code = "cli.optimized_python"


class InternalFaultError(CliError):
    """A fault of civreg itself; details: kind, the class of the Python exception."""

    code = "cli.internal_fault"


class RemoteRefusalError(CliError):
    """A node refused; it sent the stable code of its reason.

    Args:
        remote_code: The stable code that the node sent, such as `registry.stale_version`.
        message: The node's English sentence.
        details: The values that the node sent along.
    """

    code = "cli.remote_refusal"

    def __init__(self, remote_code: str, message: str, **details: int | str) -> None:
        super().__init__(message, **details)
        self.remote_code = remote_code


def code_of(error: CivregError) -> str:
    """Return the stable code to show for `error`: the node's own for a refusal by a node."""
    return error.remote_code if isinstance(error, RemoteRefusalError) else error.code
