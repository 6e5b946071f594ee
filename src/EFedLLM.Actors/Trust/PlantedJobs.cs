namespace EFedLLM.Actors.Trust;

/// <summary>Which checks are planted. To whoever does not know the secret, a planted check looks like any other, and so do two of one kind in a row.</summary>
public static class PlantedJobs
{
    /// <summary>A new secret.</summary>
    public static Digest NewSecret() => PurposeHash.Random();

    /// <summary>What a check is.</summary>
    /// <param name="secret">Known only to whoever plants.</param>
    /// <param name="check">What is unique to the check, for example its seed.</param>
    /// <param name="settings">The shares.</param>
    public static PlantedKind Of(Digest secret, Digest check, TrustSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return !DrawnShare.IsBelow(PurposeHash.Of("efedllm planted 1"u8, secret, check), settings.PlantedShare) ? PlantedKind.None
            : DrawnShare.IsBelow(PurposeHash.Of("efedllm planted wrong 1"u8, secret, check), settings.PlantedWrongShare) ? PlantedKind.Wrong
            : PlantedKind.Right;
    }
}
