using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json;
using EFedLLM.Actors.Auditing;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Node.Api;
using EFedLLM.Transformer.Checkpoints;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Node.Client;

/// <summary>An answer as <c>efedllm prompt --json</c> writes it, read back to be checked. Nothing in it is believed.</summary>
internal static class AnswerFile
{
    /// <summary>Most bytes of one.</summary>
    public const int MostBytes = 64 << 20;

    /// <summary>The answer with the seal over it.</summary>
    public static PromptAnswer Seal(PromptAnswer answer) => answer with { Signed = answer.Signed! with { Seal = SealOf(answer) } };

    /// <summary>Reads an answer.</summary>
    /// <param name="json">The file.</param>
    /// <exception cref="InvalidDataException">It is none that this program wrote, was changed since, or carries no receipts; the message says which.</exception>
    public static (PromptAnswer Answer, SignedAnswer Signed) Read(ReadOnlySpan<byte> json)
    {
        if (json.Length > MostBytes)
        {
            throw new InvalidDataException($"it has more than {MostBytes} bytes.");
        }

        PromptAnswer? answer;
        try
        {
            answer = JsonSerializer.Deserialize(json, ApiJson.Default.PromptAnswer);
        }
        catch (JsonException error)
        {
            throw new InvalidDataException("it is no answer of \"efedllm prompt --json\".", error);
        }

        if (answer is not { Text: not null, PromptTokenIds: not null, TokenIds: not null, Logprobs: not null, Route: not null, Timing: not null })
        {
            throw new InvalidDataException("it is no answer of \"efedllm prompt --json\".");
        }

        if (answer.Signed is not { Session: not null, Model: not null, Cluster: not null, Commitment: not null, Sampling: not null, Root: not null, Hops: not null } signed)
        {
            throw new InvalidDataException("it carries no receipts: a local model and a cluster with trust.mode = off sign nothing.");
        }

        // Letter for letter: whatever else would mean the same was not written so.
        return signed.Seal == SealOf(answer) && json.TrimEnd("\r\n"u8).SequenceEqual(JsonSerializer.SerializeToUtf8Bytes(answer, ApiJson.Default.PromptAnswer))
            ? (answer, Signed(answer, signed))
            : throw new InvalidDataException("it is not as it was written: changed since, or in another layout.");
    }

    private static string SealOf(PromptAnswer answer) => Convert.ToHexStringLower(SHA256.HashData(
        JsonSerializer.SerializeToUtf8Bytes(answer with { Signed = answer.Signed! with { Seal = null } }, ApiJson.Default.PromptAnswer)));

    private static SignedAnswer Signed(PromptAnswer answer, AnswerReceipts signed)
    {
        try
        {
            if (answer.Logprobs.Any(entry => entry is null) || !answer.TokenIds.SequenceEqual(answer.Logprobs.Select(entry => entry.Id)))
            {
                throw new FormatException("its tokens are not those of its probabilities.");
            }

            if (signed.Hops.Any(hop => hop is not { PublicKey: not null, Units: not null } || hop.Units.Any(unit => unit is not { InRoot: not null, OutRoot: not null, KvRoot: not null, Signature: not null })))
            {
                throw new FormatException("its receipts are not whole.");
            }

            var terms = new SessionTerms(
                ClusterId.Parse(signed.Cluster),
                new SessionId(Guid.ParseExact(signed.Session, "n")),
                new ModelId(signed.Model),
                new SamplingSettings { Temperature = signed.Sampling.Temperature, TopP = signed.Sampling.TopP, TopK = signed.Sampling.TopK, Seed = signed.Sampling.Seed },
                Digest.Read(Convert.FromHexString(signed.Commitment)));
            return new SignedAnswer(
                terms,
                [.. answer.PromptTokenIds],
                [.. answer.TokenIds],
                [.. answer.Logprobs.Select(entry => entry.Logprob)],
                [.. signed.Hops.Select(hop => Hop(hop, terms))],
                Digest.Read(Convert.FromHexString(signed.Root)));
        }
        catch (Exception error) when (error is FormatException or ArgumentException)
        {
            throw new InvalidDataException($"it makes no sense: {error.Message}", error);
        }
    }

    private static SignedHop Hop(HopReceipts hop, SessionTerms terms)
    {
        var (range, key) = (new LayerRange(hop.First, hop.End), Convert.FromHexString(hop.PublicKey));
        var device = DeviceKey.IdOf(key);
        if (device.Value != hop.Device || hop.Units.Count > Merkle.MostLeaves)
        {
            throw new FormatException($"the key of device {hop.Device} is another one's.");
        }

        var units = ImmutableArray.CreateBuilder<SignedReceipt>(hop.Units.Count);
        var hash = terms.Hash;
        Receipt? before = null;
        foreach (var unit in hop.Units)
        {
            before = new Receipt(
                terms.Cluster, terms.Session, unit.Epoch, unit.Hop, device, terms.Model, range, unit.Position, unit.Rows,
                Digest.Read(Convert.FromHexString(unit.InRoot)), Digest.Read(Convert.FromHexString(unit.OutRoot)), Digest.Read(Convert.FromHexString(unit.KvRoot)),
                ReceiptChain.Previous(before, unit.Epoch, hash));
            units.Add(new SignedReceipt(before, [.. Convert.FromHexString(unit.Signature)]));
        }

        return new SignedHop(range, key, units.MoveToImmutable());
    }
}
