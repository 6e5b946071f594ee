using System.Diagnostics;
using System.Runtime.Intrinsics;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Transformer.Kernels;

/// <summary>How many bytes of memory threads that do nothing else read per second: what bounds decoding from above.</summary>
public static class ReadBandwidth
{
    private const long LeastBytes = 128 << 20;
    private const long MostBytes = 512 << 20;
    private const int PartBytes = 1 << 20;

    /// <summary>Reads memory that no cache holds, over and over, and takes the best pass: on a busy machine the one that was disturbed least.</summary>
    /// <param name="threads">Threads that share a pass.</param>
    /// <param name="passes">Passes that count, at least 1; one more goes before them.</param>
    /// <param name="cancellation">Ends it between two passes.</param>
    /// <returns>Bytes per second.</returns>
    /// <exception cref="OutOfMemoryException">There is not so much memory.</exception>
    public static double Measure(int threads, int passes, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(passes, 1);
        var length = Math.Clamp(4 * CacheSizes.Here.Level3, LeastBytes, MostBytes) / PartBytes * PartBytes;
        using var memory = WeightMemory.Allocate(length);
        using var team = new ComputeTeam(threads);
        var pass = new Pass(memory.DangerousGetHandle());
        pass.Touch(length);
        var best = TimeSpan.MaxValue;
        for (var i = 0; i <= passes; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            var start = Stopwatch.GetTimestamp();
            team.Run(pass, (int)(length / PartBytes));
            var time = Stopwatch.GetElapsedTime(start);
            best = i > 0 && time < best ? time : best;
        }

        GC.KeepAlive(memory);
        return length / best.TotalSeconds;
    }

    private sealed unsafe class Pass(nint address) : IParallelWork
    {
        private const int Streams = 4;

        private long _sum;

        /// <summary>Gives every page a place in memory: a page that was only read may share one with all others.</summary>
        public void Touch(long length)
        {
            for (var done = 0L; done < length; done += PartBytes)
            {
                new Span<byte>((byte*)address + done, PartBytes).Fill(1);
            }
        }

        public void Run(int from, int to)
        {
            var sum = Vector256<long>.Zero;
            for (var part = from; part < to; part++)
            {
                sum ^= Read((byte*)address + (long)part * PartBytes);
            }

            // Whoever uses the sum keeps the compiler from leaving the loads out.
            Interlocked.Add(ref _sum, Vector256.Sum(sum));
        }

        private static Vector256<long> Read(byte* part)
        {
            const int Stream = PartBytes / Streams;
            var (a, b, c, d) = (Vector256<long>.Zero, Vector256<long>.Zero, Vector256<long>.Zero, Vector256<long>.Zero);
            for (var at = part; at < part + Stream; at += Vector256<byte>.Count)
            {
                a ^= Vector256.Load(at).AsInt64();
                b ^= Vector256.Load(at + Stream).AsInt64();
                c ^= Vector256.Load(at + 2 * Stream).AsInt64();
                d ^= Vector256.Load(at + 3 * Stream).AsInt64();
            }

            return a ^ b ^ c ^ d;
        }
    }
}
