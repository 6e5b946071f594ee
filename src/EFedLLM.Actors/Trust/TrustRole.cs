namespace EFedLLM.Actors.Trust;

/// <summary>What a device is judged as.</summary>
public enum TrustRole
{
    /// <summary>It computes sessions.</summary>
    Server = 1,

    /// <summary>It checks others.</summary>
    Verifier = 2,
}
