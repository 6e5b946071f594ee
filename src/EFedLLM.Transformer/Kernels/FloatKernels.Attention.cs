using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace EFedLLM.Transformer.Kernels;

internal sealed unsafe partial class FloatKernels<TLanes, TVector>
{
    // Half of the virtual lanes: each is added to the one so many further on first.
    private const int PairLanes = Lanes / 2;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Scores(float* query, float* keys, int headSize, int from, int to, float scale, float* scores)
    {
        for (var position = from - from % TLanes.Count; position < to; position += TLanes.Count)
        {
            TLanes.Store(TLanes.Multiply(DotColumns(query, keys + position, headSize), TLanes.Create(scale)), scores + position);
        }
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Scores(float* query, float* other, float* keys, int headSize, int from, int to, float scale, float* scores, float* otherScores)
    {
        var pairs = stackalloc float[PairLanes * 4 * TLanes.Count];
        var position = from - from % TLanes.Count;
        for (; position <= to - 2 * TLanes.Count; position += 2 * TLanes.Count)
        {
            var column = keys + position;
            for (var lane = 0; lane < PairLanes; lane++)
            {
                Pairs(query, other, column, headSize, lane, pairs + lane * 4 * TLanes.Count);
            }

            TLanes.Store(TLanes.Multiply(Tree(pairs), TLanes.Create(scale)), scores + position);
            TLanes.Store(TLanes.Multiply(Tree(pairs + TLanes.Count), TLanes.Create(scale)), scores + position + TLanes.Count);
            TLanes.Store(TLanes.Multiply(Tree(pairs + 2 * TLanes.Count), TLanes.Create(scale)), otherScores + position);
            TLanes.Store(TLanes.Multiply(Tree(pairs + 3 * TLanes.Count), TLanes.Create(scale)), otherScores + position + TLanes.Count);
        }

        if (position < to)
        {
            Scores(query, keys, headSize, position, to, scale, scores);
            Scores(other, keys, headSize, position, to, scale, otherScores);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static TVector Tree(float* pairs)
        {
            var even = TLanes.Add(TLanes.Add(Four(pairs, 0), Four(pairs, 4)), TLanes.Add(Four(pairs, 2), Four(pairs, 6)));
            var odd = TLanes.Add(TLanes.Add(Four(pairs, 1), Four(pairs, 5)), TLanes.Add(Four(pairs, 3), Four(pairs, 7)));
            return TLanes.Add(even, odd);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        static TVector Four(float* pairs, int first) => TLanes.Add(TLanes.Load(pairs + first * 4 * TLanes.Count), TLanes.Load(pairs + (first + 8) * 4 * TLanes.Count));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Weigh(float* weights, float* otherWeights, float* values, int headSize, int from, int to, float* output, float* other)
    {
        var i = 0;
        for (; i <= headSize - 4 * TLanes.Count; i += 4 * TLanes.Count)
        {
            TVector s0 = TLanes.Load(output + i), s1 = TLanes.Load(output + i + TLanes.Count);
            TVector s2 = TLanes.Load(output + i + 2 * TLanes.Count), s3 = TLanes.Load(output + i + 3 * TLanes.Count);
            TVector t0 = TLanes.Load(other + i), t1 = TLanes.Load(other + i + TLanes.Count);
            TVector t2 = TLanes.Load(other + i + 2 * TLanes.Count), t3 = TLanes.Load(other + i + 3 * TLanes.Count);
            for (var position = from; position < to; position++)
            {
                TVector first = TLanes.Create(weights[position]), second = TLanes.Create(otherWeights[position]);
                var row = values + position * headSize + i;
                var value = TLanes.Load(row);
                s0 = TLanes.MultiplyAdd(first, value, s0);
                t0 = TLanes.MultiplyAdd(second, value, t0);
                value = TLanes.Load(row + TLanes.Count);
                s1 = TLanes.MultiplyAdd(first, value, s1);
                t1 = TLanes.MultiplyAdd(second, value, t1);
                value = TLanes.Load(row + 2 * TLanes.Count);
                s2 = TLanes.MultiplyAdd(first, value, s2);
                t2 = TLanes.MultiplyAdd(second, value, t2);
                value = TLanes.Load(row + 3 * TLanes.Count);
                s3 = TLanes.MultiplyAdd(first, value, s3);
                t3 = TLanes.MultiplyAdd(second, value, t3);
            }

            TLanes.Store(s0, output + i);
            TLanes.Store(s1, output + i + TLanes.Count);
            TLanes.Store(s2, output + i + 2 * TLanes.Count);
            TLanes.Store(s3, output + i + 3 * TLanes.Count);
            TLanes.Store(t0, other + i);
            TLanes.Store(t1, other + i + TLanes.Count);
            TLanes.Store(t2, other + i + 2 * TLanes.Count);
            TLanes.Store(t3, other + i + 3 * TLanes.Count);
        }

        WeighFrom(weights, values, headSize, from, to, output, i);
        WeighFrom(otherWeights, values, headSize, from, to, other, i);
    }

    public override void Weigh(float* weights, float* values, int headSize, int from, int to, float* output) =>
        WeighFrom(weights, values, headSize, from, to, output, 0);

    /// <summary>Weighs the columns from i on.</summary>
    private static void WeighFrom(float* weights, float* values, int headSize, int from, int to, float* output, int i)
    {
        i = WeighColumns<TLanes, TVector>(weights, values, headSize, from, to, output, i);
        i = WeighColumns<Lanes128, Vector128<float>>(weights, values, headSize, from, to, output, i);
        WeighColumns<Lanes1, float>(weights, values, headSize, from, to, output, i);
    }

    /// <summary>The dot products of a query with as many keys as a register has elements, one in each: the lanes and their tree are those of a single dot product.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector DotColumns(float* query, float* keys, int headSize)
    {
        var even = TLanes.Add(
            TLanes.Add(FourLanes(query, keys, headSize, 0), FourLanes(query, keys, headSize, 4)),
            TLanes.Add(FourLanes(query, keys, headSize, 2), FourLanes(query, keys, headSize, 6)));
        var odd = TLanes.Add(
            TLanes.Add(FourLanes(query, keys, headSize, 1), FourLanes(query, keys, headSize, 5)),
            TLanes.Add(FourLanes(query, keys, headSize, 3), FourLanes(query, keys, headSize, 7)));
        return TLanes.Add(even, odd);
    }

    /// <summary>The sums of the lanes <paramref name="lane"/> and <paramref name="lane"/> + 16 of two queries by two registers of keys: pairs[query, register].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Pairs(float* query, float* other, float* keys, int headSize, int lane, float* pairs)
    {
        TVector a0 = TLanes.Create(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0;
        var i = lane;
        for (; i < headSize - PairLanes; i += Lanes)
        {
            var key = keys + i * PagePositions;
            TVector low = TLanes.Load(key), high = TLanes.Load(key + TLanes.Count);
            var value = TLanes.Create(query[i]);
            a0 = TLanes.MultiplyAdd(value, low, a0);
            b0 = TLanes.MultiplyAdd(value, high, b0);
            value = TLanes.Create(other[i]);
            c0 = TLanes.MultiplyAdd(value, low, c0);
            d0 = TLanes.MultiplyAdd(value, high, d0);
            key += PairLanes * PagePositions;
            (low, high) = (TLanes.Load(key), TLanes.Load(key + TLanes.Count));
            value = TLanes.Create(query[i + PairLanes]);
            a1 = TLanes.MultiplyAdd(value, low, a1);
            b1 = TLanes.MultiplyAdd(value, high, b1);
            value = TLanes.Create(other[i + PairLanes]);
            c1 = TLanes.MultiplyAdd(value, low, c1);
            d1 = TLanes.MultiplyAdd(value, high, d1);
        }

        if (i < headSize)
        {
            var key = keys + i * PagePositions;
            TVector low = TLanes.Load(key), high = TLanes.Load(key + TLanes.Count);
            TVector first = TLanes.Create(query[i]), second = TLanes.Create(other[i]);
            a0 = TLanes.MultiplyAdd(first, low, a0);
            b0 = TLanes.MultiplyAdd(first, high, b0);
            c0 = TLanes.MultiplyAdd(second, low, c0);
            d0 = TLanes.MultiplyAdd(second, high, d0);
        }

        TLanes.Store(TLanes.Add(a0, a1), pairs);
        TLanes.Store(TLanes.Add(b0, b1), pairs + TLanes.Count);
        TLanes.Store(TLanes.Add(c0, c1), pairs + 2 * TLanes.Count);
        TLanes.Store(TLanes.Add(d0, d1), pairs + 3 * TLanes.Count);
    }

    /// <summary>The sum of the lanes first, first + 8, first + 16 and first + 24, as the tree adds them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector FourLanes(float* query, float* keys, int headSize, int first)
    {
        TVector s0 = TLanes.Create(0), s8 = s0, s16 = s0, s24 = s0;
        var i = first;
        for (; i < headSize - 24; i += Lanes)
        {
            s0 = TLanes.MultiplyAdd(TLanes.Create(query[i]), TLanes.Load(keys + i * PagePositions), s0);
            s8 = TLanes.MultiplyAdd(TLanes.Create(query[i + 8]), TLanes.Load(keys + (i + 8) * PagePositions), s8);
            s16 = TLanes.MultiplyAdd(TLanes.Create(query[i + 16]), TLanes.Load(keys + (i + 16) * PagePositions), s16);
            s24 = TLanes.MultiplyAdd(TLanes.Create(query[i + 24]), TLanes.Load(keys + (i + 24) * PagePositions), s24);
        }

        if (i < headSize)
        {
            s0 = TLanes.MultiplyAdd(TLanes.Create(query[i]), TLanes.Load(keys + i * PagePositions), s0);
        }

        if (i + 8 < headSize)
        {
            s8 = TLanes.MultiplyAdd(TLanes.Create(query[i + 8]), TLanes.Load(keys + (i + 8) * PagePositions), s8);
        }

        if (i + 16 < headSize)
        {
            s16 = TLanes.MultiplyAdd(TLanes.Create(query[i + 16]), TLanes.Load(keys + (i + 16) * PagePositions), s16);
        }

        return TLanes.Add(TLanes.Add(s0, s16), TLanes.Add(s8, s24));
    }

    /// <summary>Weighs columns from i on, as many as fill registers, and returns the first one left over.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int WeighColumns<TSome, TAny>(float* weights, float* values, int headSize, int from, int to, float* output, int i)
        where TSome : struct, IFloatLanes<TAny>
        where TAny : struct
    {
        for (; i <= headSize - 4 * TSome.Count; i += 4 * TSome.Count)
        {
            TAny s0 = TSome.Load(output + i), s1 = TSome.Load(output + i + TSome.Count);
            TAny s2 = TSome.Load(output + i + 2 * TSome.Count), s3 = TSome.Load(output + i + 3 * TSome.Count);
            for (var position = from; position < to; position++)
            {
                var weight = TSome.Create(weights[position]);
                var row = values + position * headSize + i;
                s0 = TSome.MultiplyAdd(weight, TSome.Load(row), s0);
                s1 = TSome.MultiplyAdd(weight, TSome.Load(row + TSome.Count), s1);
                s2 = TSome.MultiplyAdd(weight, TSome.Load(row + 2 * TSome.Count), s2);
                s3 = TSome.MultiplyAdd(weight, TSome.Load(row + 3 * TSome.Count), s3);
            }

            TSome.Store(s0, output + i);
            TSome.Store(s1, output + i + TSome.Count);
            TSome.Store(s2, output + i + 2 * TSome.Count);
            TSome.Store(s3, output + i + 3 * TSome.Count);
        }

        for (; i <= headSize - TSome.Count; i += TSome.Count)
        {
            var sum = TSome.Load(output + i);
            for (var position = from; position < to; position++)
            {
                sum = TSome.MultiplyAdd(TSome.Create(weights[position]), TSome.Load(values + position * headSize + i), sum);
            }

            TSome.Store(sum, output + i);
        }

        return i;
    }
}
