using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Blocks;

/// <summary>The parts of an encoder's forward pass that go row by row, as loops for a team. One iteration is one row.</summary>
internal sealed class EncoderWork(ModelShape shape, EncoderState state) : IParallelWork
{
    // Below so many values, waking threads takes longer than the work.
    private const long SmallWork = 1 << 14;

    private Part _part;
    private LayerNormWeights? _norm;

    private enum Part
    {
        Norm,
        AddAndNorm,
        Activate,
    }

    /// <summary>Hidden = LayerNorm(Hidden), [rows, hidden].</summary>
    public void Norm(LayerNormWeights norm, int rows, ComputeTeam team)
    {
        (_part, _norm) = (Part.Norm, norm);
        Share(rows, shape.HiddenSize, team);
    }

    /// <summary>Hidden = LayerNorm(Added + Hidden), each [rows, hidden].</summary>
    public void AddAndNorm(LayerNormWeights norm, int rows, ComputeTeam team)
    {
        (_part, _norm) = (Part.AddAndNorm, norm);
        Share(rows, shape.HiddenSize, team);
    }

    /// <summary>Inner = GELU(Inner), [rows, intermediate].</summary>
    public void Activate(int rows, ComputeTeam team)
    {
        _part = Part.Activate;
        Share(rows, shape.IntermediateSize, team);
    }

    public void Run(int from, int to)
    {
        for (var row = from; row < to; row++)
        {
            if (_part == Part.Activate)
            {
                FloatKernels.Best.Gelu(state.Inner.AsSpan(row * shape.IntermediateSize, shape.IntermediateSize));
                continue;
            }

            var hidden = state.Hidden.AsSpan(row * shape.HiddenSize, shape.HiddenSize);
            if (_part == Part.AddAndNorm)
            {
                FloatKernels.Best.Add(hidden, state.Added.AsSpan(row * shape.HiddenSize, shape.HiddenSize));
            }

            FloatKernels.Best.LayerNorm(hidden, _norm!.Gain, _norm.Bias, shape.NormEpsilon, hidden);
        }
    }

    private void Share(int rows, int width, ComputeTeam team)
    {
        if ((long)rows * width < SmallWork)
        {
            Run(0, rows);
        }
        else
        {
            team.Run(this, rows);
        }
    }
}
