namespace EFedLLM.Actors.Placement;

/// <summary>What comes of connecting to a node's port.</summary>
internal enum ProbeOutcome
{
    /// <summary>Its machine answers that nobody listens there: the process is gone.</summary>
    Refused,

    /// <summary>Somebody listens: the process, perhaps a busy one, or its successor.</summary>
    Open,

    /// <summary>Nobody answers: the process, its machine or the network between may be gone, and there is no telling which.</summary>
    Silent,
}
