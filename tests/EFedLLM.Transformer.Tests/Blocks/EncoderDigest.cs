using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Generation;
using EFedLLM.Transformer.Kernels;
using EFedLLM.Transformer.Tests.Checkpoints;
using EFedLLM.Transformer.Tests.Support;

namespace EFedLLM.Transformer.Tests.Blocks;

/// <summary>A small BERT over sequences of several lengths.</summary>
internal sealed class EncoderDigest : IBitDigest
{
    public void Compute(BitResults results)
    {
        using var checkpoint = TinyBert.Random(seed: 11);
        using var team = new ComputeTeam(2);
        using var encoder = new LocalEncoder(checkpoint.Source, team);
        foreach (var length in new[] { 1, 9, 64, 100 })
        {
            results.Add<float>(encoder.Encode(checkpoint.Tokens(length, length), SequenceOutput.Classes));
            results.Add<float>(encoder.Encode(checkpoint.Tokens(length, length), SequenceOutput.Mean));
        }
    }
}
