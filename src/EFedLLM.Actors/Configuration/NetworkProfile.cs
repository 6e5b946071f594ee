namespace EFedLLM.Actors.Configuration;

/// <summary>What kind of network the nodes share.</summary>
public enum NetworkProfile
{
    /// <summary>One machine or one local network: quick to notice a dead node.</summary>
    Lan,

    /// <summary>Home connections and the Internet: patient with silence.</summary>
    Wan,
}
