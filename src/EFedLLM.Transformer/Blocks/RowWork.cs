using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Blocks;

/// <summary>The parts of a forward pass that go row by row, as loops for a team. One iteration is one row.</summary>
internal sealed class RowWork : IParallelWork
{
    // Below so many values, waking threads takes longer than the work.
    private const long SmallWork = 1 << 14;

    private readonly ModelShape _shape;
    private readonly RunState _state;
    private readonly AttentionWork _attention;
    private Part _part;
    private float[] _source = [];
    private float[] _target = [];
    private float[] _gain = [];
    private LayerWeights? _weights;

    public RowWork(ModelShape shape, RunState state, AttentionWork attention) => (_shape, _state, _attention) = (shape, state, attention);

    private enum Part
    {
        Norm,
        Add,
        Gate,
        RotateAndStore,
    }

    /// <summary>y = RMSNorm(x), each [rows, hidden].</summary>
    public void Norm(float[] x, float[] gain, float[] y, int rows, ComputeTeam team)
    {
        (_part, _source, _gain, _target) = (Part.Norm, x, gain, y);
        Share(rows, _shape.HiddenSize, team);
    }

    /// <summary>x += y, each [rows, hidden].</summary>
    public void Add(float[] x, float[] y, int rows, ComputeTeam team)
    {
        (_part, _target, _source) = (Part.Add, x, y);
        Share(rows, _shape.HiddenSize, team);
    }

    /// <summary>Gate = SiLU(Gate) * Up, each [rows, intermediate].</summary>
    public void SwiGlu(int rows, ComputeTeam team)
    {
        _part = Part.Gate;
        Share(rows, _shape.IntermediateSize, team);
    }

    /// <summary>Norms the heads of Query and Key where the model does so, turns them by their positions' angles, and stores Key and Value in the caches.</summary>
    public void RotateAndStore(LayerWeights weights, int rows, ComputeTeam team)
    {
        (_part, _weights) = (Part.RotateAndStore, weights);
        Share(rows, (_shape.Heads + 2 * _shape.KeyValueHeads) * _shape.HeadSize, team);
    }

    public void Run(int from, int to)
    {
        for (var row = from; row < to; row++)
        {
            switch (_part)
            {
                case Part.Norm:
                    FloatKernels.Best.RmsNorm(Hidden(_source, row), _gain, _shape.NormEpsilon, Hidden(_target, row));
                    break;
                case Part.Add:
                    FloatKernels.Best.Add(Hidden(_target, row), Hidden(_source, row));
                    break;
                case Part.Gate:
                    var size = _shape.IntermediateSize;
                    FloatKernels.Best.SwiGlu(_state.Gate.AsSpan(row * size, size), _state.Up.AsSpan(row * size, size));
                    break;
                default:
                    RotateAndStore(row, _weights!);
                    break;
            }
        }
    }

    private Span<float> Hidden(float[] buffer, int row) => buffer.AsSpan(row * _shape.HiddenSize, _shape.HiddenSize);

    private void RotateAndStore(int row, LayerWeights weights)
    {
        var (size, half) = (_shape.HeadSize, _shape.HeadSize / 2);
        var query = _state.Query.AsSpan(row * _shape.Heads * size, _shape.Heads * size);
        var key = _state.Key.AsSpan(row * _shape.KeyValueHeads * size, _shape.KeyValueHeads * size);
        var value = _state.Value.AsSpan(row * _shape.KeyValueHeads * size, _shape.KeyValueHeads * size);
        var cosines = _state.Cosines.AsSpan(row * half, half);
        var sines = _state.Sines.AsSpan(row * half, half);
        RotateHeads(query, weights.QueryNorm, cosines, sines);
        RotateHeads(key, weights.KeyNorm, cosines, sines);
        _attention.Caches[_state.StepOf[row]].Write(_attention.Layer, _state.PositionOf[row], key, value);
    }

    private void RotateHeads(Span<float> heads, float[]? gain, ReadOnlySpan<float> cosines, ReadOnlySpan<float> sines)
    {
        for (var start = 0; start < heads.Length; start += _shape.HeadSize)
        {
            var head = heads.Slice(start, _shape.HeadSize);
            if (gain is not null)
            {
                FloatKernels.Best.RmsNorm(head, gain, _shape.NormEpsilon, head);
            }

            FloatKernels.Best.Rotate(head, cosines, sines);
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
