namespace EFedLLM.Actors.Trust;

/// <summary>
/// Which checks are planted: the gateway recomputes them too, so that a verifier that does not compute, or lies together with who it checks,
/// shows itself. To whoever does not know the secret, a planted check looks like any other. None has to be made wrong on purpose: a verifier
/// is never told what it is to confirm, so that it cannot just confirm.
/// </summary>
public static class PlantedJobs
{
    /// <summary>Whether a check is planted.</summary>
    /// <param name="secret">Known only to whoever plants.</param>
    /// <param name="check">What is unique to the check, for example its seed.</param>
    /// <param name="settings">The share.</param>
    public static bool IsPlanted(Digest secret, Digest check, TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return DrawnShare.IsBelow(PurposeHash.Of("efedllm planted 1"u8, secret, check), settings.PlantedShare);
    }
}
