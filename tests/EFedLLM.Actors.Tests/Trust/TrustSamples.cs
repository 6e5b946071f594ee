using System.Buffers.Binary;
using System.Globalization;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;

namespace EFedLLM.Actors.Tests.Trust;

internal static class TrustSamples
{
    /// <summary>The hash of a number: a digest like any other, and always the same.</summary>
    public static Digest Digest(int number)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, number);
        return EFedLLM.Actors.Trust.Digest.Of(bytes);
    }

    /// <summary>The device with a number.</summary>
    public static DeviceId Device(int number) => new(number.ToString("x32", CultureInfo.InvariantCulture));

    /// <summary>Fails where a count is further from what is expected than <paramref name="deviations"/> standard deviations of the binomial distribution.</summary>
    public static void IsBinomial(int count, int trials, double rate, double deviations = 5)
    {
        var bound = deviations * Math.Sqrt(trials * rate * (1 - rate));
        Assert.InRange(count, (trials * rate) - bound, (trials * rate) + bound);
    }
}
