using EFedLLM.Transformer.Blocks;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Tests.Blocks;

public sealed class RotaryAnglesTests
{
    [Theory]
    [InlineData(10000, 64, 131071)]
    [InlineData(500000, 128, 1048575)]
    [InlineData(1, 2, 7)]
    public void Pairs_turn_by_their_frequencies(double theta, int headSize, int position)
    {
        var angles = new RotaryAngles(new RopeSettings(theta), headSize, position + 1);
        var (cosines, sines) = (new float[headSize / 2], new float[headSize / 2]);

        angles.Fill(position, cosines, sines);

        for (var i = 0; i < headSize / 2; i++)
        {
            var angle = position * Math.Pow(theta, -2.0 * i / headSize);
            Assert.Equal(Math.Cos(angle), cosines[i], 1e-7);
            Assert.Equal(Math.Sin(angle), sines[i], 1e-7);
        }
    }

    [Fact]
    public void Settings_that_turn_too_fast_are_refused_at_loading() => Assert.Contains(
        "rope_scaling",
        Assert.Throws<InvalidDataException>(() => new RotaryAngles(new RopeSettings(10000, new RopeScaling(RopeScalingKind.Linear, 1e-6)), 64, 1 << 20)).Message,
        StringComparison.Ordinal);
}
