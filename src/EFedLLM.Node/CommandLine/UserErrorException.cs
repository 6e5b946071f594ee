namespace EFedLLM.Node.CommandLine;

/// <summary>A failure whose message is one clear sentence for the person at the keyboard.</summary>
internal sealed class UserErrorException(string message, int exitCode = ExitCodes.Failed, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>How the process ends.</summary>
    public int ExitCode { get; } = exitCode;
}
