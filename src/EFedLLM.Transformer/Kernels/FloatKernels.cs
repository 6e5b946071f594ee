using System.Runtime.Intrinsics;

namespace EFedLLM.Transformer.Kernels;

/// <summary>
/// The float32 work of a forward pass, the same bits at every vector width. Reductions use 32 virtual lanes: element i
/// goes to lane i mod 32 by fused multiply-add (or addition), then the lanes are added in the tree 16-8-4-2-1.
/// Elementwise functions are fixed sequences of IEEE 754 operations. All finite input is allowed; nothing checks lengths
/// but the public callers, and nothing allocates. The longest loops are compiled to the end at once: a device that takes over
/// in the middle of an answer has no time to warm up.
/// </summary>
internal abstract unsafe partial class FloatKernels
{
    /// <summary>Virtual lanes of a reduction.</summary>
    public const int Lanes = 32;

    /// <summary>Positions in a page of the KV cache, on which scores and weighing work.</summary>
    public const int PagePositions = 64;

    /// <summary>Every width, the widest first. All of them run everywhere, though some slowly.</summary>
    public static IReadOnlyList<FloatKernels> Widths { get; } =
    [
        new FloatKernels<Lanes512, Vector512<float>>(),
        new FloatKernels<Lanes256, Vector256<float>>(),
        new FloatKernels<Lanes128, Vector128<float>>(),
        new FloatKernels<Lanes1, float>(),
    ];

    /// <summary>The widest that the processor accelerates.</summary>
    public static FloatKernels Best { get; } =
        Widths[Vector512.IsHardwareAccelerated ? 0 : Vector256.IsHardwareAccelerated ? 1 : Vector128.IsHardwareAccelerated ? 2 : 3];

    /// <summary>Elements in a register.</summary>
    public abstract int Width { get; }

    /// <summary>The sum of a[i] * b[i].</summary>
    public abstract float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b);

    /// <summary>The sum of x[i].</summary>
    public abstract float Sum(ReadOnlySpan<float> x);

    /// <summary>The largest x[i], NaN passed over; negative infinity where there is none.</summary>
    public abstract float Max(ReadOnlySpan<float> x);

    /// <summary>Whether no x[i] is infinite or NaN.</summary>
    public abstract bool IsFinite(ReadOnlySpan<float> x);

    /// <summary>x[i] becomes exp(x[i] - shift); see <see cref="FloatExp"/>.</summary>
    public abstract void ExpShifted(Span<float> x, float shift);

    /// <summary>x[i] becomes x[i] + y[i].</summary>
    public abstract void Add(Span<float> x, ReadOnlySpan<float> y);

    /// <summary>x[i] becomes x[i] * factor.</summary>
    public abstract void Scale(Span<float> x, float factor);

    /// <summary>y[i] = x[i] / sqrt(mean of squares + epsilon) * gain[i] (Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019). y may be x.</summary>
    public abstract void RmsNorm(ReadOnlySpan<float> x, ReadOnlySpan<float> gain, float epsilon, Span<float> y);

    /// <summary>gate[i] becomes SiLU(gate[i]) * up[i], with SiLU(g) = g / (1 + exp(-g)) (Shazeer, "GLU Variants Improve Transformer", 2020).</summary>
    public abstract void SwiGlu(Span<float> gate, ReadOnlySpan<float> up);

    /// <summary>
    /// Rotates each pair (x[i], x[i + n/2]) of a head of n values by its angle (Su et al., "RoFormer", 2021, in the
    /// half-split order of Hugging Face): [n], cosines and sines [n/2].
    /// </summary>
    public abstract void Rotate(Span<float> head, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines);

    /// <summary>y[r, o] = dot of weights[o] and x[r], plus bias[o]; each with the bits of <see cref="Dot"/>.</summary>
    /// <param name="weights">[outputs, inputs].</param>
    /// <param name="bias">[outputs], or null.</param>
    /// <param name="outputs">Number of outputs.</param>
    /// <param name="inputs">Width of an input row.</param>
    /// <param name="x">[rows, inputs].</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="y">[rows, stride], of which the first outputs of each row are written.</param>
    /// <param name="stride">Distance of two rows of y.</param>
    public abstract void Products(float* weights, float* bias, int outputs, int inputs, float* x, int rows, float* y, int stride);

    /// <summary>Scores of a query against the keys of a page: scores[p] = dot of query and key p, times scale; each with the bits of <see cref="Dot"/>.</summary>
    /// <param name="query">[head size].</param>
    /// <param name="keys">[head size, <see cref="PagePositions"/>]: one vector element is one position. Read to whole registers.</param>
    /// <param name="headSize">Width of a head.</param>
    /// <param name="from">The first position wanted.</param>
    /// <param name="to">One past the last position wanted.</param>
    /// <param name="scale">Factor of every score.</param>
    /// <param name="scores">[<see cref="PagePositions"/>]; written from..to and beyond, to whole registers.</param>
    public abstract void Scores(float* query, float* keys, int headSize, int from, int to, float scale, float* scores);

    /// <summary>The same for some queries: <see cref="Scores(float*, float*, int, int, int, float, float*)"/> of each, but a key is read once for two or three.</summary>
    /// <param name="queries">[count, stride], of which the first values of each row are one.</param>
    /// <param name="count">Number of queries.</param>
    /// <param name="queryStride">Distance of two queries.</param>
    /// <param name="keys">As for one.</param>
    /// <param name="headSize">Width of a head.</param>
    /// <param name="from">The first position wanted.</param>
    /// <param name="to">One past the last position wanted.</param>
    /// <param name="scale">Factor of every score.</param>
    /// <param name="scores">[count, stride].</param>
    /// <param name="scoreStride">Distance of the scores of two queries.</param>
    public abstract void Scores(
        float* queries, int count, int queryStride, float* keys, int headSize, int from, int to, float scale, float* scores, int scoreStride);

    /// <summary>Adds values by their weights: output[i] = fma(weights[p], values[p, i], output[i]), positions ascending.</summary>
    /// <param name="weights">[<see cref="PagePositions"/>].</param>
    /// <param name="values">[<see cref="PagePositions"/>, head size].</param>
    /// <param name="headSize">Width of a head.</param>
    /// <param name="from">The first position.</param>
    /// <param name="to">One past the last position.</param>
    /// <param name="output">[head size].</param>
    public abstract void Weigh(float* weights, float* values, int headSize, int from, int to, float* output);

    /// <summary>The same for some rows of weights: <see cref="Weigh(float*, float*, int, int, int, float*)"/> of each, but a value is read once for two or three.</summary>
    /// <param name="weights">[count, stride].</param>
    /// <param name="count">Number of rows.</param>
    /// <param name="weightStride">Distance of two rows of weights.</param>
    /// <param name="values">As for one.</param>
    /// <param name="headSize">Width of a head.</param>
    /// <param name="from">The first position.</param>
    /// <param name="to">One past the last position.</param>
    /// <param name="outputs">[count, stride], of which the first values of each row are one.</param>
    /// <param name="outputStride">Distance of two outputs.</param>
    public abstract void Weigh(
        float* weights, int count, int weightStride, float* values, int headSize, int from, int to, float* outputs, int outputStride);

    /// <summary>y[i] = the half nearest to x[i], ties to even; beyond the largest half that one, and for an infinity or a NaN too. See <see cref="FloatHalf"/>.</summary>
    public abstract void Narrow(ReadOnlySpan<float> x, Span<Half> y);

    /// <summary>Rows of finite halves as float32, which is exact.</summary>
    /// <param name="source">[rows, stride], of which the first values of each row are read.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="width">Values of a row.</param>
    /// <param name="stride">Distance of two rows in source and target.</param>
    /// <param name="target">[rows, stride], of which the first values of each row are written.</param>
    public abstract void Widen(Half* source, int rows, int width, int stride, float* target);

    /// <summary>x becomes exp(x[i] - max) over the sum of these.</summary>
    public void Softmax(Span<float> x)
    {
        ExpShifted(x, Max(x));
        Scale(x, 1 / Sum(x));
    }

    /// <summary>Adds 32 lanes in the tree 16-8-4-2-1.</summary>
    protected static float Tree(float* lanes)
    {
        if (!Vector128.IsHardwareAccelerated)
        {
            for (var width = Lanes / 2; width > 0; width /= 2)
            {
                for (var lane = 0; lane < width; lane++)
                {
                    lanes[lane] += lanes[lane + width];
                }
            }

            return lanes[0];
        }

        var first = Vector128.Load(lanes) + Vector128.Load(lanes + 16);
        var second = Vector128.Load(lanes + 4) + Vector128.Load(lanes + 20);
        first += Vector128.Load(lanes + 8) + Vector128.Load(lanes + 24);
        second += Vector128.Load(lanes + 12) + Vector128.Load(lanes + 28);
        first += second;
        return first[0] + first[2] + (first[1] + first[3]);
    }
}
