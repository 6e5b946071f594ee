namespace EFedLLM.Node.CommandLine;

/// <summary>What the program's exit code tells a script.</summary>
internal static class ExitCodes
{
    /// <summary>Done.</summary>
    public const int Ok = 0;

    /// <summary>It was tried and failed; one sentence on standard error says why.</summary>
    public const int Failed = 1;

    /// <summary>The command line makes no sense.</summary>
    public const int Usage = 2;

    /// <summary>What was asked to be proven can be neither confirmed nor denied here: as with a command line that makes no sense, nothing is said.</summary>
    public const int CannotTell = 2;

    /// <summary>No gateway answers at the address.</summary>
    public const int NotReachable = 3;

    /// <summary>Ctrl-C or a request to end, as shells report it.</summary>
    public const int Interrupted = 130;
}
