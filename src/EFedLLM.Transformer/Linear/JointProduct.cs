using EFedLLM.Transformer.Kernels;

namespace EFedLLM.Transformer.Linear;

/// <summary>
/// Some products of one input as one loop: threads are called once, and go on with the next product while another thread is still at the last rows of the one
/// before. A product may wait for the V·x of an earlier one, whose parts come first.
/// </summary>
internal sealed class JointProduct : IParallelWork
{
    private readonly List<BlockProduct> _products = [];
    private int _count;

    /// <summary>The next product, to be begun before all are computed.</summary>
    public BlockProduct Next()
    {
        if (_count == _products.Count)
        {
            _products.Add(new BlockProduct());
        }

        return _products[_count++];
    }

    /// <summary>Computes the products that were begun, and forgets them.</summary>
    /// <param name="team">The threads that share the work.</param>
    public void Compute(ComputeTeam team)
    {
        try
        {
            var (items, work) = (0, 0L);
            for (var i = 0; i < _count; i++)
            {
                items += _products[i].Items;
                work += _products[i].Work;
            }

            if (work < BlockProduct.LeastShared)
            {
                Run(0, items);
            }
            else
            {
                team.Run(this, items);
            }
        }
        finally
        {
            Forget();
        }
    }

    /// <summary>Forgets the products.</summary>
    public void Forget()
    {
        for (; _count > 0; _count--)
        {
            _products[_count - 1].End();
        }
    }

    /// <inheritdoc/>
    public void Run(int from, int to)
    {
        for (var i = 0; i < _count && to > 0; i++)
        {
            var items = _products[i].Items;
            if (from < items)
            {
                _products[i].Run(from, Math.Min(to, items));
            }

            (from, to) = (Math.Max(from - items, 0), to - items);
        }
    }
}
