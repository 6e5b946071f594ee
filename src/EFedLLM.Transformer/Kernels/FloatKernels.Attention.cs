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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Scores(
        float* queries, int count, int queryStride, float* keys, int headSize, int from, int to, float scale, float* scores, int scoreStride)
    {
        for (int i = 0, some; i < count; i += some)
        {
            some = AtOnce(count - i);
            float* query = queries + (long)i * queryStride, own = scores + (long)i * scoreStride;
            var position = from - from % TLanes.Count;
            if (some > 1)
            {
                position = ScoresOfSome(query, some, queryStride, keys, headSize, position, to, TLanes.Create(scale), own, scoreStride);
            }

            for (var each = 0; each < some && position < to; each++)
            {
                Scores(query + (long)each * queryStride, keys, headSize, position, to, scale, own + (long)each * scoreStride);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Weigh(
        float* weights, int count, int weightStride, float* values, int headSize, int from, int to, float* outputs, int outputStride)
    {
        for (int i = 0, some; i < count; i += some)
        {
            some = AtOnce(count - i);
            float* row = weights + (long)i * weightStride, output = outputs + (long)i * outputStride;
            var column = some switch
            {
                3 => WeighThree(row, weightStride, values, headSize, from, to, output, outputStride),
                2 => WeighTwo(row, row + weightStride, values, headSize, from, to, output, output + outputStride),
                _ => 0,
            };
            for (var each = 0; each < some; each++)
            {
                WeighFrom(row + (long)each * weightStride, values, headSize, from, to, output + (long)each * outputStride, column);
            }
        }
    }

    public override void Weigh(float* weights, float* values, int headSize, int from, int to, float* output) =>
        WeighFrom(weights, values, headSize, from, to, output, 0);

    /// <summary>Weighs columns by two rows of weights, as many as fill registers, and returns the first one left over.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int WeighTwo(float* weights, float* otherWeights, float* values, int headSize, int from, int to, float* output, float* other)
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

        return i;
    }

    /// <summary>The same by three.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int WeighThree(float* weights, int weightStride, float* values, int headSize, int from, int to, float* outputs, int outputStride)
    {
        float* secondWeights = weights + weightStride, thirdWeights = secondWeights + weightStride;
        float* second = outputs + outputStride, third = second + outputStride;
        var i = 0;
        for (; i <= headSize - 4 * TLanes.Count; i += 4 * TLanes.Count)
        {
            TVector s0 = TLanes.Load(outputs + i), s1 = TLanes.Load(outputs + i + TLanes.Count);
            TVector s2 = TLanes.Load(outputs + i + 2 * TLanes.Count), s3 = TLanes.Load(outputs + i + 3 * TLanes.Count);
            TVector t0 = TLanes.Load(second + i), t1 = TLanes.Load(second + i + TLanes.Count);
            TVector t2 = TLanes.Load(second + i + 2 * TLanes.Count), t3 = TLanes.Load(second + i + 3 * TLanes.Count);
            TVector u0 = TLanes.Load(third + i), u1 = TLanes.Load(third + i + TLanes.Count);
            TVector u2 = TLanes.Load(third + i + 2 * TLanes.Count), u3 = TLanes.Load(third + i + 3 * TLanes.Count);
            for (var position = from; position < to; position++)
            {
                TVector a = TLanes.Create(weights[position]), b = TLanes.Create(secondWeights[position]), c = TLanes.Create(thirdWeights[position]);
                var row = values + position * headSize + i;
                var value = TLanes.Load(row);
                s0 = TLanes.MultiplyAdd(a, value, s0);
                t0 = TLanes.MultiplyAdd(b, value, t0);
                u0 = TLanes.MultiplyAdd(c, value, u0);
                value = TLanes.Load(row + TLanes.Count);
                s1 = TLanes.MultiplyAdd(a, value, s1);
                t1 = TLanes.MultiplyAdd(b, value, t1);
                u1 = TLanes.MultiplyAdd(c, value, u1);
                value = TLanes.Load(row + 2 * TLanes.Count);
                s2 = TLanes.MultiplyAdd(a, value, s2);
                t2 = TLanes.MultiplyAdd(b, value, t2);
                u2 = TLanes.MultiplyAdd(c, value, u2);
                value = TLanes.Load(row + 3 * TLanes.Count);
                s3 = TLanes.MultiplyAdd(a, value, s3);
                t3 = TLanes.MultiplyAdd(b, value, t3);
                u3 = TLanes.MultiplyAdd(c, value, u3);
            }

            TLanes.Store(s0, outputs + i);
            TLanes.Store(s1, outputs + i + TLanes.Count);
            TLanes.Store(s2, outputs + i + 2 * TLanes.Count);
            TLanes.Store(s3, outputs + i + 3 * TLanes.Count);
            TLanes.Store(t0, second + i);
            TLanes.Store(t1, second + i + TLanes.Count);
            TLanes.Store(t2, second + i + 2 * TLanes.Count);
            TLanes.Store(t3, second + i + 3 * TLanes.Count);
            TLanes.Store(u0, third + i);
            TLanes.Store(u1, third + i + TLanes.Count);
            TLanes.Store(u2, third + i + 2 * TLanes.Count);
            TLanes.Store(u3, third + i + 3 * TLanes.Count);
        }

        return i;
    }

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

    /// <summary>How many queries to take together, so that none of several is left alone.</summary>
    private static int AtOnce(int left) => left switch { 1 => 1, 2 or 4 => 2, _ => 3 };

    /// <summary>The scores of two or three queries, two registers of positions at a time. Returns the first position left over.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static int ScoresOfSome(
        float* queries, int count, int queryStride, float* keys, int headSize, int position, int to, TVector scale, float* scores, int scoreStride)
    {
        var pairs = stackalloc float[PairLanes * 6 * TLanes.Count];
        var stride = 2 * count * TLanes.Count;
        for (; position <= to - 2 * TLanes.Count; position += 2 * TLanes.Count)
        {
            var column = keys + position;
            for (var lane = 0; lane < PairLanes; lane++)
            {
                if (count == 3)
                {
                    PairsOfThree(queries, queryStride, column, headSize, lane, pairs + lane * stride);
                }
                else
                {
                    PairsOfTwo(queries, queries + queryStride, column, headSize, lane, pairs + lane * stride);
                }
            }

            for (var each = 0; each < count; each++)
            {
                float* own = pairs + 2 * each * TLanes.Count, target = scores + (long)each * scoreStride + position;
                TLanes.Store(TLanes.Multiply(Tree(own, stride), scale), target);
                TLanes.Store(TLanes.Multiply(Tree(own + TLanes.Count, stride), scale), target + TLanes.Count);
            }
        }

        return position;

        static TVector Tree(float* pairs, int stride)
        {
            var even = TLanes.Add(TLanes.Add(Four(pairs, stride, 0), Four(pairs, stride, 4)), TLanes.Add(Four(pairs, stride, 2), Four(pairs, stride, 6)));
            var odd = TLanes.Add(TLanes.Add(Four(pairs, stride, 1), Four(pairs, stride, 5)), TLanes.Add(Four(pairs, stride, 3), Four(pairs, stride, 7)));
            return TLanes.Add(even, odd);
        }

        static TVector Four(float* pairs, int stride, int first) => TLanes.Add(TLanes.Load(pairs + first * stride), TLanes.Load(pairs + (first + 8) * stride));
    }

    /// <summary>The sums of the lanes <paramref name="lane"/> and <paramref name="lane"/> + 16 of two queries by two registers of keys: pairs[query, register].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PairsOfTwo(float* query, float* other, float* keys, int headSize, int lane, float* pairs)
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

    /// <summary>The same of three queries.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PairsOfThree(float* queries, int stride, float* keys, int headSize, int lane, float* pairs)
    {
        TVector a0 = TLanes.Create(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0, d0 = a0, d1 = a0, e0 = a0, e1 = a0, f0 = a0, f1 = a0;
        float* second = queries + stride, third = second + stride;
        var i = lane;
        for (; i < headSize - PairLanes; i += Lanes)
        {
            var key = keys + i * PagePositions;
            TVector low = TLanes.Load(key), high = TLanes.Load(key + TLanes.Count);
            var value = TLanes.Create(queries[i]);
            a0 = TLanes.MultiplyAdd(value, low, a0);
            b0 = TLanes.MultiplyAdd(value, high, b0);
            value = TLanes.Create(second[i]);
            c0 = TLanes.MultiplyAdd(value, low, c0);
            d0 = TLanes.MultiplyAdd(value, high, d0);
            value = TLanes.Create(third[i]);
            e0 = TLanes.MultiplyAdd(value, low, e0);
            f0 = TLanes.MultiplyAdd(value, high, f0);
            key += PairLanes * PagePositions;
            (low, high) = (TLanes.Load(key), TLanes.Load(key + TLanes.Count));
            value = TLanes.Create(queries[i + PairLanes]);
            a1 = TLanes.MultiplyAdd(value, low, a1);
            b1 = TLanes.MultiplyAdd(value, high, b1);
            value = TLanes.Create(second[i + PairLanes]);
            c1 = TLanes.MultiplyAdd(value, low, c1);
            d1 = TLanes.MultiplyAdd(value, high, d1);
            value = TLanes.Create(third[i + PairLanes]);
            e1 = TLanes.MultiplyAdd(value, low, e1);
            f1 = TLanes.MultiplyAdd(value, high, f1);
        }

        if (i < headSize)
        {
            var key = keys + i * PagePositions;
            TVector low = TLanes.Load(key), high = TLanes.Load(key + TLanes.Count);
            var value = TLanes.Create(queries[i]);
            a0 = TLanes.MultiplyAdd(value, low, a0);
            b0 = TLanes.MultiplyAdd(value, high, b0);
            value = TLanes.Create(second[i]);
            c0 = TLanes.MultiplyAdd(value, low, c0);
            d0 = TLanes.MultiplyAdd(value, high, d0);
            value = TLanes.Create(third[i]);
            e0 = TLanes.MultiplyAdd(value, low, e0);
            f0 = TLanes.MultiplyAdd(value, high, f0);
        }

        TLanes.Store(TLanes.Add(a0, a1), pairs);
        TLanes.Store(TLanes.Add(b0, b1), pairs + TLanes.Count);
        TLanes.Store(TLanes.Add(c0, c1), pairs + 2 * TLanes.Count);
        TLanes.Store(TLanes.Add(d0, d1), pairs + 3 * TLanes.Count);
        TLanes.Store(TLanes.Add(e0, e1), pairs + 4 * TLanes.Count);
        TLanes.Store(TLanes.Add(f0, f1), pairs + 5 * TLanes.Count);
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
