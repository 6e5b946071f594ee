namespace EFedLLM.Actors.Configuration;

/// <summary>Whose prompts at one gateway share what was computed of the same first tokens.</summary>
public enum PrefixSharing
{
    /// <summary>Nobody's: every prompt is computed from its first token on.</summary>
    Off,

    /// <summary>Those that bear the same API key, or none.</summary>
    Key,

    /// <summary>Everybody's. How soon an answer begins then tells that somebody else has asked the same beginning.</summary>
    All,
}
