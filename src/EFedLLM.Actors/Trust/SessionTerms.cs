using System.Buffers.Binary;
using EFedLLM.Actors.Protocol;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Actors.Trust;

/// <summary>
/// What every hop of a session is asked for. The first receipt of each epoch names the hash of it as the one before, so that each device
/// signs what it was asked: nobody can say later that it had been something else.
/// </summary>
/// <param name="Cluster">The cluster.</param>
/// <param name="Session">The session.</param>
/// <param name="Model">The model.</param>
/// <param name="Sampling">How the head draws. What it reports beside a token (<see cref="SamplingSettings.TopLogprobs"/>) is no part of the terms.</param>
/// <param name="Commitment">What was given away of the nonces that choose what is checked (<see cref="AuditDraw.Commit(SessionId, Digest, Digest)"/>).</param>
public sealed record SessionTerms(ClusterId Cluster, SessionId Session, ModelId Model, SamplingSettings Sampling, Digest Commitment)
{
    /// <summary>The version of what a hop computes: grows when the same model and input give other bits than before. Devices of different versions sign different terms.</summary>
    public const int Program = 1;

    private static ReadOnlySpan<byte> Purpose => "efedllm terms 1\n"u8;

    /// <summary>SHA-256 of a line that names the form and, behind it, program version, cluster, session, model, temperature, top-p, top-k, seed and commitment; numbers big-endian, floats as their bits.</summary>
    public Digest Hash
    {
        get
        {
            Span<byte> bytes = stackalloc byte[Purpose.Length + 4 + 32 + 16 + 32 + 4 + 4 + 4 + 8 + 32];
            var rest = bytes;
            Purpose.CopyTo(rest);
            rest = rest[Purpose.Length..];
            BinaryPrimitives.WriteInt32BigEndian(rest, Program);
            Cluster.Value.Write(rest[4..]);
            rest = rest[36..];
            Session.Value.TryWriteBytes(rest, bigEndian: true, out _);
            Convert.FromHexString(Model.Value).CopyTo(rest[16..]);
            rest = rest[48..];
            BinaryPrimitives.WriteSingleBigEndian(rest, Sampling.Temperature);
            BinaryPrimitives.WriteSingleBigEndian(rest[4..], Sampling.TopP);
            BinaryPrimitives.WriteInt32BigEndian(rest[8..], Sampling.TopK);
            BinaryPrimitives.WriteUInt64BigEndian(rest[12..], Sampling.Seed);
            Commitment.Write(rest[20..]);
            return Digest.Of(bytes);
        }
    }
}
