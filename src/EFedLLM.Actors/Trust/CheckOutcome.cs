namespace EFedLLM.Actors.Trust;

/// <summary>What a check of a device showed.</summary>
public enum CheckOutcome
{
    /// <summary>It was right.</summary>
    Passed = 1,

    /// <summary>Something that also happens to the honest: an opening that came too late, an output that is not finite.</summary>
    Soft = 2,

    /// <summary>A proven wrong result, or two signed statements that contradict each other.</summary>
    Hard = 3,
}
