namespace EFedLLM.Actors.Auditing;

/// <summary>What signatures alone prove: no honest device signs so, and nobody needs a model to see it.</summary>
public enum SignatureFault
{
    /// <summary>A device signed two different receipts of the same unit in the same epoch.</summary>
    TwoReceipts = 1,

    /// <summary>Two neighbours of a route signed different things about what went from one to the other: one of the two lies.</summary>
    Contradiction = 2,

    /// <summary>A device opened other rows than it signed before that it gave, or got.</summary>
    OpenedOtherwise = 3,

    /// <summary>A device opened a row with a value that no model gives.</summary>
    Unsound = 4,
}
