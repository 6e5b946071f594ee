using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Tests.Support;

namespace EFedLLM.Transformer.Tests.Linear;

/// <summary>Quantised activations and products of factored matrices over random and adversarial input.</summary>
internal sealed class FactoredLinearDigest : IBitDigest
{
    public void Compute(BitResults results)
    {
        using var team = new ComputeTeam(2);
        foreach (var shape in FactoredLinearTests.Shapes)
        {
            var (outputs, inputs, rank, baseGroup, factorGroup, baseBits, factorBits) =
                ((int)shape[0], (int)shape[1], (int)shape[2], (int)shape[3], (int)shape[4], (int)shape[5], (int)shape[6]);
            foreach (var extreme in new[] { false, true })
            {
                var matrix = Sample.Create(outputs, inputs, rank, baseGroup, factorGroup, baseBits, factorBits, extreme);
                var layer = matrix.Layer(GroupDot.Best);
                for (var kind = 0; kind < HardRows.Kinds; kind++)
                {
                    results.Add<float>(FactoredLinearTests.Apply(layer, matrix.Input(1 + kind % 9, kind), 1 + kind % 9, team));
                }
            }
        }
    }
}
