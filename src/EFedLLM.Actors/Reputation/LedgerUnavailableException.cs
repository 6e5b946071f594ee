namespace EFedLLM.Actors.Reputation;

/// <summary>The ledger cannot start; the message says why and what to do.</summary>
public sealed class LedgerUnavailableException : Exception
{
    /// <summary>Without a reason.</summary>
    public LedgerUnavailableException()
        : base("The ledger cannot start.")
    {
    }

    /// <summary>With a reason.</summary>
    public LedgerUnavailableException(string message)
        : base(message)
    {
    }

    /// <summary>With a reason and its cause.</summary>
    public LedgerUnavailableException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
