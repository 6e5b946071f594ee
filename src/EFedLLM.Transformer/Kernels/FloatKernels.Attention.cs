using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace EFedLLM.Transformer.Kernels;

internal sealed unsafe partial class FloatKernels<TLanes, TVector>
{
    public override void Scores(float* query, float* keys, int headSize, int from, int to, float scale, float* scores)
    {
        for (var position = from - from % TLanes.Count; position < to; position += TLanes.Count)
        {
            TLanes.Store(TLanes.Multiply(DotColumns(query, keys + position, headSize), TLanes.Create(scale)), scores + position);
        }
    }

    public override void Weigh(float* weights, float* values, int headSize, int from, int to, float* output)
    {
        var i = WeighColumns<TLanes, TVector>(weights, values, headSize, from, to, output, 0);
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
