using System.Buffers.Binary;
using System.Globalization;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Pipeline;

/// <summary>
/// Gives each of equal replicas its share of the sessions, without anybody counting: weighted rendezvous hashing. With u uniform in (0, 1) from
/// the session and the device, the least of −ln(u)/speed is each device's with a probability in proportion to its speed (Efraimidis and
/// Spirakis, "Weighted random sampling with a reservoir", 2006).
/// </summary>
internal static class ReplicaShare
{
    /// <summary>The device with the lowest of these is the session's.</summary>
    /// <param name="session">The session; without one it is the device that is used the most gladly, as where a hop was just found to lie.</param>
    /// <param name="device">The device.</param>
    /// <param name="preference">How gladly it is used, above 0: its share grows with that as with its speed.</param>
    public static double Turn(SessionId? session, DeviceAnnouncement device, double preference)
    {
        if (session is not { } id)
        {
            return -preference;
        }

        Span<byte> bytes = stackalloc byte[16];
        id.Value.TryWriteBytes(bytes);
        var hash = BinaryPrimitives.ReadUInt64LittleEndian(bytes) ^ ulong.Parse(device.Device.Value.AsSpan(0, 16), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        var uniform = ((Mix(hash + BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..])) >> 11) + 0.5) / (1L << 53);
        return -Math.Log(uniform) / (preference * (double.IsFinite(device.BytesPerSecond) && device.BytesPerSecond > 0 ? device.BytesPerSecond : 1));
    }

    /// <summary>The finalizer of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).</summary>
    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
