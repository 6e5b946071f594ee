using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Linear;

namespace EFedLLM.Transformer.Checkpoints;

/// <summary>A matrix in float32 as the checkpoint has it: the reference that quantised ones are compared with.</summary>
internal sealed unsafe class CheckpointLinear : LinearLayer
{
    // The weights of a block stay in a core's cache while all rows go by.
    private const int BlockOutputs = 16;

    // Below so many multiplications, waking threads takes longer than the work.
    private const long SmallWork = 1 << 16;

    private readonly float[] _weights;
    private BlockWork? _idle;

    /// <param name="inputs">Width of an input row.</param>
    /// <param name="outputs">Width of an output row.</param>
    /// <param name="weights">[outputs, inputs], row-major.</param>
    /// <param name="bias">[outputs], or null.</param>
    public CheckpointLinear(int inputs, int outputs, float[] weights, float[]? bias)
        : base(inputs, outputs, bias)
    {
        if (weights.Length != (long)inputs * outputs)
        {
            throw new ArgumentException($"There are {weights.Length} weights for {outputs} x {inputs}.", nameof(weights));
        }

        _weights = weights;
    }

    public override long WeightBytes => ((long)_weights.Length + (Bias?.Length ?? 0)) * sizeof(float);

    public override void Apply(LinearInput input, Span<float> y, ComputeTeam team)
    {
        ArgumentNullException.ThrowIfNull(team);
        CheckLengths(input, y);

        // Concurrent callers share the layer, so each takes the work away while it uses it.
        var work = Interlocked.Exchange(ref _idle, null) ?? new BlockWork();
        fixed (float* weights = _weights, bias = Bias, source = input.X, destination = y)
        {
            work.Weights = weights;
            work.Bias = bias;
            (work.Outputs, work.Inputs, work.Rows) = (Outputs, Inputs, input.Rows);
            work.X = source;
            work.Y = destination;
            var blocks = (Outputs + BlockOutputs - 1) / BlockOutputs;
            if ((long)input.Rows * _weights.Length < SmallWork)
            {
                work.Run(0, blocks);
            }
            else
            {
                team.Run(work, blocks);
            }
        }

        _idle = work;
    }

    private sealed class BlockWork : IParallelWork
    {
        public float* Weights; // [outputs, inputs]
        public float* Bias; // [outputs], or null
        public int Outputs;
        public int Inputs;
        public float* X; // [rows, inputs]
        public int Rows;
        public float* Y; // [rows, outputs]

        public void Run(int from, int to)
        {
            for (var block = from; block < to; block++)
            {
                var output = block * BlockOutputs;
                FloatKernels.Best.Products(
                    Weights + (long)output * Inputs,
                    Bias is null ? null : Bias + output,
                    Math.Min(BlockOutputs, Outputs - output),
                    Inputs,
                    X,
                    Rows,
                    Y + output,
                    Outputs);
            }
        }
    }
}
