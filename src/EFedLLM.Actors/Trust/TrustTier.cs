namespace EFedLLM.Actors.Trust;

/// <summary>How far a device is trusted in a role.</summary>
public enum TrustTier
{
    /// <summary>Too little of it was checked: everything is.</summary>
    Probation = 1,

    /// <summary>On the way to a full standing.</summary>
    Junior = 2,

    /// <summary>Few of its units are checked, but never none.</summary>
    Full = 3,

    /// <summary>Something speaks against it: everything is checked, and others are preferred.</summary>
    Quarantined = 4,

    /// <summary>It gets no work.</summary>
    Excluded = 5,
}
