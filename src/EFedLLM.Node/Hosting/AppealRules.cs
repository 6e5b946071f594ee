using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Node.Hosting;

/// <summary>What comes of an appeal.</summary>
internal static class AppealRules
{
    /// <summary>Decides.</summary>
    /// <param name="hasProof">Whether the verdict names a proof.</param>
    /// <param name="replay">What came of replaying it; null where nothing was replayed.</param>
    /// <param name="force">Whether the operator wants it taken back although nothing can be replayed.</param>
    /// <param name="reason">Why, where it is forced; at most <see cref="ProtocolLimits.ReasonCharacters"/> characters are kept.</param>
    /// <returns>Whether the verdict is taken back: true, or false when its proof holds, or null when nobody can tell; and why.</returns>
    public static (bool? IsStruck, string Text) Decide(bool hasProof, ReplayOutcome? replay, bool force, string? reason) => (replay, force) switch
    {
        ({ Result: ReplayResult.DoesNotHold }, _) => (true, Clip($"Its proof does not hold: {replay.Text}")),
        ({ Result: ReplayResult.Holds }, true) => (false, $"Its proof holds, so it cannot be forced: {replay.Text}"),
        ({ Result: ReplayResult.Holds }, _) => (false, $"Its proof holds: {replay.Text}"),
        (_, true) => (true, Clip($"By the operator: {reason}")),
        ({ } unknown, _) => (null, $"Its proof cannot be replayed here: {unknown.Text} Nothing was changed. An operator may take it back all the same, with --force and --reason."),
        _ when hasProof => (null, "This gateway cannot replay proofs. Nothing was changed. An operator may take it back all the same, with --force and --reason."),
        _ => (null, "It has no proof that could be replayed. Nothing was changed. An operator may take it back all the same, with --force and --reason."),
    };

    private static string Clip(string text) => text.Length <= ProtocolLimits.ReasonCharacters ? text : string.Concat(text.AsSpan(0, ProtocolLimits.ReasonCharacters - 3), "...");
}
