using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace EFedLLM.Actors.Pipeline;

/// <summary>Where the hops of a repaired route go on, so that as little as possible is computed again.</summary>
internal static class ReplayPlan
{
    /// <summary>
    /// The positions that each hop keeps. From there on it is fed: with what the hop before computes, or gives again because it kept it.
    /// A hop that can do neither for a row that the next one lacks computes that row again, and so do those before it that cannot give it.
    /// </summary>
    /// <param name="hops">What each hop has.</param>
    /// <param name="length">Positions whose tokens are known, at least 1.</param>
    /// <param name="lacking">The first position of which the pipeline lacks what the head gave, below <paramref name="length"/>: that is computed again, as it may have been lost on its way.</param>
    /// <param name="unit">Every hop goes on at a multiple of so many positions, so that what it signs in one epoch never lacks its beginning.</param>
    public static ImmutableArray<int> Starts(ReadOnlySpan<HopStock> hops, int length, int lacking, int unit = 1)
    {
        lacking = lacking / unit * unit;
        var starts = new int[hops.Length];
        for (var hop = hops.Length - 1; hop >= 0; hop--)
        {
            var (has, keptFrom) = hops[hop];
            has = Math.Min(has, length) / unit * unit;
            starts[hop] = hop < hops.Length - 1 && keptFrom <= lacking ? has : Math.Min(has, lacking);
            lacking = starts[hop];
        }

        return ImmutableCollectionsMarshal.AsImmutableArray(starts);
    }
}
