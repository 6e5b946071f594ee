using System.Collections.Immutable;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Blobs;

/// <summary>Units as ranges.</summary>
internal static class UnitRanges
{
    /// <summary>The units below <paramref name="count"/> that <paramref name="includes"/> takes, as ascending ranges that do not touch; no more ranges than an announcement has room for.</summary>
    public static ImmutableArray<LayerRange> Of(int count, Func<int, bool> includes)
    {
        var ranges = ImmutableArray.CreateBuilder<LayerRange>();
        for (var unit = 0; unit < count && ranges.Count < ProtocolLimits.AnnouncedRanges; unit++)
        {
            if (!includes(unit))
            {
                continue;
            }

            var first = unit;
            while (unit < count && includes(unit))
            {
                unit++;
            }

            ranges.Add(new LayerRange(first, unit));
        }

        return ranges.ToImmutable();
    }
}
