using System.Globalization;

namespace EFedLLM.Actors.Layers;

/// <summary>
/// Decides when a device that leaves gives up what it holds: when the others hold it too, or when it has waited long enough. Until then it
/// serves on, so that nobody notices that it is about to go.
/// </summary>
internal static class LeavePlanner
{
    /// <summary>What to do now. Asked again after each change, and when the patience is over.</summary>
    /// <param name="covers">The models of which the device holds a part.</param>
    /// <param name="waited">How long it waits already.</param>
    /// <param name="patience">How long it waits at most.</param>
    public static LeaveDecision Decide(IReadOnlyCollection<ModelCover> covers, TimeSpan waited, TimeSpan patience)
    {
        var waiting = covers.Where(cover => cover.State is not (CoverState.Unneeded or CoverState.Loaded)).ToArray();
        if (waiting.Length == 0)
        {
            return new LeaveDecision(true, covers.Any(cover => cover.State == CoverState.Loaded)
                ? $"the others hold its layers of {Names(covers.Where(cover => cover.State == CoverState.Loaded))} now; what still runs here is finished or moved first"
                : "nobody needs what it holds");
        }

        var impossible = waiting.Where(cover => cover.State == CoverState.Impossible).ToArray();
        if (waited >= patience)
        {
            return new LeaveDecision(true, impossible.Length > 0
                ? $"nobody else can take over {Names(impossible)}: it cannot be asked from now on. {impossible[0].Problem}"
                : $"the others have not taken over {Names(waiting)} within {Seconds(patience)}; leaving all the same");
        }

        return new LeaveDecision(false, impossible.Length > 0
            ? $"nobody else can take over {Names(impossible)}; waiting up to {Seconds(patience)} for a device that can. {impossible[0].Problem}"
            : $"the others load its layers of {Names(waiting)} first, for up to {Seconds(patience)}");
    }

    private static string Names(IEnumerable<ModelCover> covers) => string.Join(", ", covers.Select(cover => cover.Name).Order(StringComparer.Ordinal));

    private static string Seconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.###} s");
}
