using System.Runtime.CompilerServices;

namespace EFedLLM.Transformer.Kernels;

internal sealed unsafe partial class FloatKernels<TLanes, TVector>
{
    public override void Narrow(ReadOnlySpan<float> x, Span<Half> y)
    {
        fixed (float* source = x)
        {
            fixed (Half* target = y)
            {
                var i = 0;
                for (; i <= x.Length - TLanes.Count; i += TLanes.Count)
                {
                    TLanes.Narrow(TLanes.Load(source + i), target + i);
                }

                for (; i < x.Length; i++)
                {
                    Lanes1.Narrow(source[i], target + i);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void Widen(Half* source, int rows, int width, int stride, float* target)
    {
        (rows, width) = width == stride ? (1, rows * width) : (rows, width);
        for (var row = 0; row < rows; row++, source += stride, target += stride)
        {
            var i = 0;
            for (; i <= width - 4 * TLanes.Count; i += 4 * TLanes.Count)
            {
                TVector w0 = TLanes.Widen(source + i), w1 = TLanes.Widen(source + i + TLanes.Count);
                TVector w2 = TLanes.Widen(source + i + 2 * TLanes.Count), w3 = TLanes.Widen(source + i + 3 * TLanes.Count);
                TLanes.Store(w0, target + i);
                TLanes.Store(w1, target + i + TLanes.Count);
                TLanes.Store(w2, target + i + 2 * TLanes.Count);
                TLanes.Store(w3, target + i + 3 * TLanes.Count);
            }

            for (; i <= width - TLanes.Count; i += TLanes.Count)
            {
                TLanes.Store(TLanes.Widen(source + i), target + i);
            }

            for (; i < width; i++)
            {
                target[i] = Lanes1.Widen(source + i);
            }
        }
    }
}
