using System.Runtime.CompilerServices;

namespace EFedLLM.Transformer.Kernels;

/// <summary>
/// The kernels at one vector width. Lanes that do not fit one register are gone through in as many passes. The loops are
/// compiled to the end at once, like those of <see cref="GroupDotTiles{TForm, TLanes, TPairs, TSums, TResults}"/>.
/// </summary>
internal sealed unsafe partial class FloatKernels<TLanes, TVector> : FloatKernels
    where TLanes : struct, IFloatLanes<TVector>
    where TVector : struct
{
    public override int Width => TLanes.Count;

    [SkipLocalsInit]
    public override float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        fixed (float* left = a, right = b)
        {
            return Dot(left, right, a.Length);
        }
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override float Sum(ReadOnlySpan<float> x)
    {
        var lanes = stackalloc float[Lanes];
        fixed (float* source = x)
        {
            for (var part = 0; part < Lanes; part += TLanes.Count)
            {
                var sum = TLanes.Create(0);
                for (var i = part; i <= x.Length - TLanes.Count; i += Lanes)
                {
                    sum = TLanes.Add(sum, TLanes.Load(source + i));
                }

                TLanes.Store(sum, lanes + part);
            }

            for (var i = x.Length - x.Length % TLanes.Count; i < x.Length; i++)
            {
                lanes[i % Lanes] += source[i];
            }
        }

        return Tree(lanes);
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override float Max(ReadOnlySpan<float> x)
    {
        var largest = stackalloc float[TLanes.Count];
        var i = 0;
        fixed (float* source = x)
        {
            var max = TLanes.Create(float.NegativeInfinity);
            for (; i <= x.Length - TLanes.Count; i += TLanes.Count)
            {
                max = TLanes.Larger(max, TLanes.Load(source + i));
            }

            TLanes.Store(max, largest);
        }

        var result = float.NegativeInfinity;
        for (var lane = 0; lane < TLanes.Count; lane++)
        {
            result = Lanes1.Larger(result, largest[lane]);
        }

        foreach (var rest in x[i..])
        {
            result = Lanes1.Larger(result, rest);
        }

        return result;
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override bool IsFinite(ReadOnlySpan<float> x)
    {
        // 0 times a finite number is 0, and times any other NaN.
        var sums = stackalloc float[TLanes.Count];
        var total = 0f;
        fixed (float* source = x)
        {
            var sum = TLanes.Create(0);
            var i = 0;
            for (; i <= x.Length - TLanes.Count; i += TLanes.Count)
            {
                sum = TLanes.MultiplyAdd(TLanes.Load(source + i), TLanes.Create(0), sum);
            }

            for (; i < x.Length; i++)
            {
                total += source[i] * 0;
            }

            TLanes.Store(sum, sums);
        }

        for (var lane = 0; lane < TLanes.Count; lane++)
        {
            total += sums[lane];
        }

        return total == 0;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void ExpShifted(Span<float> x, float shift)
    {
        fixed (float* values = x)
        {
            var i = 0;
            for (; i <= x.Length - TLanes.Count; i += TLanes.Count)
            {
                TLanes.Store(FloatExp.Of<TLanes, TVector>(TLanes.Subtract(TLanes.Load(values + i), TLanes.Create(shift))), values + i);
            }

            for (; i < x.Length; i++)
            {
                values[i] = FloatExp.Of<Lanes1, float>(values[i] - shift);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Add(Span<float> x, ReadOnlySpan<float> y)
    {
        fixed (float* sums = x, addends = y)
        {
            var i = 0;
            for (; i <= x.Length - TLanes.Count; i += TLanes.Count)
            {
                TLanes.Store(TLanes.Add(TLanes.Load(sums + i), TLanes.Load(addends + i)), sums + i);
            }

            for (; i < x.Length; i++)
            {
                sums[i] += addends[i];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Scale(Span<float> x, float factor)
    {
        fixed (float* values = x)
        {
            var i = 0;
            for (; i <= x.Length - TLanes.Count; i += TLanes.Count)
            {
                TLanes.Store(TLanes.Multiply(TLanes.Load(values + i), TLanes.Create(factor)), values + i);
            }

            for (; i < x.Length; i++)
            {
                values[i] *= factor;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void RmsNorm(ReadOnlySpan<float> x, ReadOnlySpan<float> gain, float epsilon, Span<float> y)
    {
        fixed (float* source = x, gains = gain, destination = y)
        {
            var scale = 1 / MathF.Sqrt(Dot(source, source, x.Length) / x.Length + epsilon);
            var i = 0;
            for (; i <= x.Length - TLanes.Count; i += TLanes.Count)
            {
                TLanes.Store(TLanes.Multiply(TLanes.Multiply(TLanes.Load(source + i), TLanes.Create(scale)), TLanes.Load(gains + i)), destination + i);
            }

            for (; i < x.Length; i++)
            {
                destination[i] = source[i] * scale * gains[i];
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void SwiGlu(Span<float> gate, ReadOnlySpan<float> up)
    {
        fixed (float* gates = gate, ups = up)
        {
            var i = 0;
            for (; i <= gate.Length - TLanes.Count; i += TLanes.Count)
            {
                TLanes.Store(SwiGlu<TLanes, TVector>(TLanes.Load(gates + i), TLanes.Load(ups + i)), gates + i);
            }

            for (; i < gate.Length; i++)
            {
                gates[i] = SwiGlu<Lanes1, float>(gates[i], ups[i]);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Rotate(Span<float> head, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines)
    {
        var half = head.Length / 2;
        fixed (float* values = head, cos = cosines, sin = sines)
        {
            var i = 0;
            for (; i <= half - TLanes.Count; i += TLanes.Count)
            {
                Rotate<TLanes, TVector>(values + i, half, cos + i, sin + i);
            }

            for (; i < half; i++)
            {
                Rotate<Lanes1, float>(values + i, half, cos + i, sin + i);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TAny SwiGlu<TSome, TAny>(TAny gate, TAny up)
        where TSome : struct, IFloatLanes<TAny>
        where TAny : struct
    {
        var one = TSome.Create(1);
        var decay = FloatExp.Of<TSome, TAny>(TSome.Subtract(TSome.Create(0), gate));
        return TSome.Multiply(TSome.Divide(gate, TSome.Add(one, decay)), up);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Rotate<TSome, TAny>(float* first, int half, float* cosines, float* sines)
        where TSome : struct, IFloatLanes<TAny>
        where TAny : struct
    {
        TAny x = TSome.Load(first), y = TSome.Load(first + half), cos = TSome.Load(cosines), sin = TSome.Load(sines);
        TSome.Store(TSome.Subtract(TSome.Multiply(x, cos), TSome.Multiply(y, sin)), first);
        TSome.Store(TSome.Add(TSome.Multiply(y, cos), TSome.Multiply(x, sin)), first + half);
    }

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Dot(float* a, float* b, int length)
    {
        var lanes = stackalloc float[Lanes];
        for (var part = 0; part < Lanes; part += TLanes.Count)
        {
            var sum = TLanes.Create(0);
            for (var i = part; i <= length - TLanes.Count; i += Lanes)
            {
                sum = TLanes.MultiplyAdd(TLanes.Load(a + i), TLanes.Load(b + i), sum);
            }

            TLanes.Store(sum, lanes + part);
        }

        return Finish(lanes, a, b, length);
    }

    /// <summary>Takes in what is left over behind whole registers, then adds the lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Finish(float* lanes, float* a, float* b, int length)
    {
        for (var i = length - length % TLanes.Count; i < length; i++)
        {
            lanes[i % Lanes] = MathF.FusedMultiplyAdd(a[i], b[i], lanes[i % Lanes]);
        }

        return Tree(lanes);
    }
}
