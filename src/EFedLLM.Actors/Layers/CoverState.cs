namespace EFedLLM.Actors.Layers;

/// <summary>How far the others are with taking over what a device serves of one model.</summary>
internal enum CoverState
{
    /// <summary>No gateway asks for the model: nobody needs to take over.</summary>
    Unneeded,

    /// <summary>The plan still counts on the device, or there is none yet.</summary>
    Unplanned,

    /// <summary>The plan does without the device, and not everything of it is loaded yet.</summary>
    Loading,

    /// <summary>A route leads through what the others have loaded.</summary>
    Loaded,

    /// <summary>The others cannot hold the model without the device.</summary>
    Impossible,
}
