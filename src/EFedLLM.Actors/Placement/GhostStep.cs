namespace EFedLLM.Actors.Placement;

/// <summary>What is done about a node that may be gone.</summary>
internal enum GhostStep
{
    /// <summary>Nothing: it is there, or nobody can tell and the split-brain resolver decides.</summary>
    Forget,

    /// <summary>Look once more.</summary>
    ProbeAgain,

    /// <summary>Take it out of the cluster.</summary>
    Remove,
}
