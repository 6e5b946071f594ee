using System.Runtime.CompilerServices;

namespace EFedLLM.Transformer.Kernels;

internal sealed unsafe partial class FloatKernels<TLanes, TVector>
{
    // Sums in flight: enough to hide the latency of the fused multiply-add, few enough for 16 registers.
    private const int TileRows = 4;
    private const int TileOutputs = 2;
    private const int RowOutputs = 4;

    // Outputs that a tile of rows takes at once, and inputs of them that it takes before it goes to the next ones: what is
    // used again then comes from the first cache, and the sums wait in the second.
    private const int PanelTiles = 8;
    private const int DepthInputs = 1024;

    [SkipLocalsInit]
    public override void Products(float* weights, float* bias, int outputs, int inputs, float* x, int rows, float* y, int stride)
    {
        var lanes = stackalloc float[PanelTiles * TileRows * TileOutputs * Lanes];
        var row = 0;
        for (; row <= rows - TileRows; row += TileRows)
        {
            var output = 0;
            for (int tiles; (tiles = Math.Min((outputs - output) / TileOutputs, PanelTiles)) > 0; output += tiles * TileOutputs)
            {
                FourRows(weights + (long)output * inputs, tiles, x + (long)row * inputs, inputs, lanes);
                for (var sum = 0; sum < tiles * TileRows * TileOutputs; sum++)
                {
                    var (r, o) = (row + sum / TileOutputs % TileRows, output + sum / (TileRows * TileOutputs) * TileOutputs + sum % TileOutputs);
                    Put(Finish(lanes + sum * Lanes, x + (long)r * inputs, weights + (long)o * inputs, inputs), r, o);
                }
            }

            for (; output < outputs; output++)
            {
                for (var r = row; r < row + TileRows; r++)
                {
                    Put(Dot(x + (long)r * inputs, weights + (long)output * inputs, inputs), r, output);
                }
            }
        }

        for (; row < rows; row++)
        {
            var output = 0;
            for (; output <= outputs - RowOutputs; output += RowOutputs)
            {
                OneRow(weights + (long)output * inputs, x + (long)row * inputs, inputs, lanes);
                for (var sum = 0; sum < RowOutputs; sum++)
                {
                    Put(Finish(lanes + sum * Lanes, x + (long)row * inputs, weights + (long)(output + sum) * inputs, inputs), row, output + sum);
                }
            }

            for (; output < outputs; output++)
            {
                Put(Dot(x + (long)row * inputs, weights + (long)output * inputs, inputs), row, output);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        void Put(float sum, int row, int output) => y[(long)row * stride + output] = bias is null ? sum : sum + bias[output];
    }

    /// <summary>The lanes of 4 rows by some tiles of 2 outputs: lanes[tile, row, output, 32].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourRows(float* w, int tiles, float* x, int n, float* lanes)
    {
        for (var depth = 0; depth < n; depth += DepthInputs)
        {
            for (var tile = 0; tile < tiles; tile++)
            {
                FourRows(w + (long)tile * TileOutputs * n + depth, x + depth, n, Math.Min(n - depth, DepthInputs), lanes + tile * TileRows * TileOutputs * Lanes, depth > 0);
            }
        }
    }

    /// <summary>Adds some inputs to the lanes of 4 rows by 2 outputs, or begins them: lanes[row, output, 32].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourRows(float* w, float* x, int n, int count, float* lanes, bool goOn)
    {
        float* x1 = x + n, x2 = x1 + n, x3 = x2 + n, w1 = w + n;
        for (var part = 0; part < Lanes; part += TLanes.Count)
        {
            var sums = lanes + part;
            TVector s00 = TLanes.Create(0), s01 = s00, s10 = s00, s11 = s00, s20 = s00, s21 = s00, s30 = s00, s31 = s00;
            if (goOn)
            {
                (s00, s01, s10, s11) = (TLanes.Load(sums), TLanes.Load(sums + Lanes), TLanes.Load(sums + 2 * Lanes), TLanes.Load(sums + 3 * Lanes));
                (s20, s21, s30, s31) = (TLanes.Load(sums + 4 * Lanes), TLanes.Load(sums + 5 * Lanes), TLanes.Load(sums + 6 * Lanes), TLanes.Load(sums + 7 * Lanes));
            }

            for (var i = part; i <= count - TLanes.Count; i += Lanes)
            {
                TVector first = TLanes.Load(w + i), second = TLanes.Load(w1 + i);
                var value = TLanes.Load(x + i);
                s00 = TLanes.MultiplyAdd(value, first, s00);
                s01 = TLanes.MultiplyAdd(value, second, s01);
                value = TLanes.Load(x1 + i);
                s10 = TLanes.MultiplyAdd(value, first, s10);
                s11 = TLanes.MultiplyAdd(value, second, s11);
                value = TLanes.Load(x2 + i);
                s20 = TLanes.MultiplyAdd(value, first, s20);
                s21 = TLanes.MultiplyAdd(value, second, s21);
                value = TLanes.Load(x3 + i);
                s30 = TLanes.MultiplyAdd(value, first, s30);
                s31 = TLanes.MultiplyAdd(value, second, s31);
            }

            TLanes.Store(s00, sums);
            TLanes.Store(s01, sums + Lanes);
            TLanes.Store(s10, sums + 2 * Lanes);
            TLanes.Store(s11, sums + 3 * Lanes);
            TLanes.Store(s20, sums + 4 * Lanes);
            TLanes.Store(s21, sums + 5 * Lanes);
            TLanes.Store(s30, sums + 6 * Lanes);
            TLanes.Store(s31, sums + 7 * Lanes);
        }
    }

    /// <summary>The lanes of one row by 4 outputs: lanes[output, 32].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneRow(float* w, float* x, int n, float* lanes)
    {
        float* w1 = w + n, w2 = w1 + n, w3 = w2 + n;
        for (var part = 0; part < Lanes; part += TLanes.Count)
        {
            TVector s0 = TLanes.Create(0), s1 = s0, s2 = s0, s3 = s0;
            for (var i = part; i <= n - TLanes.Count; i += Lanes)
            {
                var value = TLanes.Load(x + i);
                s0 = TLanes.MultiplyAdd(value, TLanes.Load(w + i), s0);
                s1 = TLanes.MultiplyAdd(value, TLanes.Load(w1 + i), s1);
                s2 = TLanes.MultiplyAdd(value, TLanes.Load(w2 + i), s2);
                s3 = TLanes.MultiplyAdd(value, TLanes.Load(w3 + i), s3);
            }

            TLanes.Store(s0, lanes + part);
            TLanes.Store(s1, lanes + part + Lanes);
            TLanes.Store(s2, lanes + part + 2 * Lanes);
            TLanes.Store(s3, lanes + part + 3 * Lanes);
        }
    }
}
