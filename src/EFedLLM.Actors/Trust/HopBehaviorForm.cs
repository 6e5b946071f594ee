namespace EFedLLM.Actors.Trust;

/// <summary>A behaviour that has a name.</summary>
/// <param name="Make">Gives a new one, of a number.</param>
/// <param name="Default">The number where none is said; null for one that takes none.</param>
internal sealed record HopBehaviorForm(Func<int, IHopBehavior> Make, int? Default = null)
{
    /// <summary>The largest number that one takes.</summary>
    public const int Most = 1 << 30;
}
