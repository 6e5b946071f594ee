using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Compression.Calibration;

/// <summary>Collects S for each place of a unit where matrices take their input; matrices of one place share it.</summary>
/// <param name="threads">Threads that may take part.</param>
internal sealed class SiteMoments(int threads) : IInputObserver
{
    private readonly Dictionary<InputSite, SecondMoment> _moments = [];

    /// <summary>The places seen, in their order.</summary>
    public IEnumerable<InputSite> Sites => _moments.Keys.Order();

    /// <summary>S of a place.</summary>
    public double[] Mean(InputSite site) => _moments[site].Mean();

    /// <inheritdoc/>
    public void Observe(int unit, InputSite site, ReadOnlySpan<float> x, int rows)
    {
        if (!_moments.TryGetValue(site, out var moment))
        {
            _moments.Add(site, moment = new SecondMoment(x.Length / rows, threads));
        }

        moment.Add(x);
    }
}
