using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Layers;

/// <summary>
/// Decides how a device comes from what it holds to what the plans want. The new is loaded before the old goes where memory allows,
/// and the old stays while the cluster has no route without it. Memory is never exceeded.
/// </summary>
internal static class HoldingPlanner
{
    /// <summary>What to do now. Asked again after each change.</summary>
    /// <param name="holdings">What takes memory.</param>
    /// <param name="wanted">What the plans want.</param>
    /// <param name="planned">The models that have a plan; what is held of others stays while there is room.</param>
    /// <param name="memory">Bytes for weights.</param>
    /// <param name="isNeeded">Whether the cluster would have no route without a range that it has with it.</param>
    public static ImmutableArray<HoldingAction> Decide(
        IReadOnlyCollection<Holding> holdings,
        IReadOnlyCollection<WantedRange> wanted,
        IReadOnlySet<ModelId> planned,
        long memory,
        Func<Holding, bool> isNeeded)
    {
        var actions = ImmutableArray.CreateBuilder<HoldingAction>();
        var places = ProtocolLimits.AnnouncedRanges - holdings.Count;
        var free = memory - holdings.Sum(holding => holding.Bytes);
        var unwanted = holdings.Where(holding => !wanted.Any(want => Same(want, holding) && holding.Bytes <= want.Bytes)).ToArray();
        var inTheEnd = memory - (holdings.Sum(holding => holding.Bytes) - unwanted.Sum(holding => holding.Bytes));
        var needsRoom = false;
        foreach (var want in wanted)
        {
            if (holdings.FirstOrDefault(holding => Same(want, holding)) is { } held)
            {
                if (held.Bytes > want.Bytes)
                {
                    // It is to be loaded again within less memory, which takes that it goes first.
                    inTheEnd -= want.Bytes;
                    needsRoom = true;
                }
                else if (held.State == HoldingState.Draining)
                {
                    actions.Add(new HoldingAction(HoldingStep.Resume, held.Model, held.Range, held.Bytes));
                }

                continue;
            }

            if (want.Bytes > inTheEnd)
            {
                actions.Add(new HoldingAction(
                    HoldingStep.Refuse, want.Model, want.Range, want.Bytes, $"it takes {want.Bytes} bytes of weights and {inTheEnd} of {memory} are left for it"));
                continue;
            }

            inTheEnd -= want.Bytes;
            if (want.Bytes > free || places == 0)
            {
                needsRoom = true;
                continue;
            }

            free -= want.Bytes;
            places--;
            actions.Add(new HoldingAction(HoldingStep.Load, want.Model, want.Range, want.Bytes));
        }

        foreach (var holding in unwanted.Where(holding => holding.State == HoldingState.Serving))
        {
            if (needsRoom || (planned.Contains(holding.Model) && !IsAwaited(holding.Model) && !isNeeded(holding)))
            {
                actions.Add(new HoldingAction(HoldingStep.Drain, holding.Model, holding.Range, holding.Bytes));
            }
        }

        return actions.ToImmutable();

        // Whether something that is to take the old range's place does not serve yet.
        bool IsAwaited(ModelId model) => wanted.Any(want => want.Model == model
            && !actions.Any(action => action.Step == HoldingStep.Refuse && action.Model == model && action.Range == want.Range)
            && !holdings.Any(holding => Same(want, holding) && holding.State is HoldingState.Serving or HoldingState.Draining));
    }

    private static bool Same(WantedRange want, Holding holding) => want.Model == holding.Model && want.Range == holding.Range;
}
