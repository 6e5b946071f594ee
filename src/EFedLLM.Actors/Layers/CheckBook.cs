using System.Runtime.InteropServices;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Sampling;

namespace EFedLLM.Actors.Layers;

/// <summary>
/// What one session that recomputes another one's work answers: it collects the digests of what comes in, of what comes out and of what is
/// kept, and at every multiple of <see cref="UnitCut.Rows"/>, or where it is told to, hides the roots of the last two under the key of whoever asks, and
/// signs them with that of the first. The compute thread writes it, as it writes the session's cache.
/// </summary>
/// <param name="open">The session's opening, with an <see cref="AuditOrder"/>.</param>
/// <param name="key">Signs; null where nobody asks for it, as of the gateway's own judge.</param>
internal sealed class CheckBook(OpenSession open, DeviceKey? key)
{
    private readonly Digest[] _given = new Digest[UnitCut.Rows];
    private readonly Digest[] _out = new Digest[UnitCut.Rows];
    private readonly Digest[] _kept = new Digest[UnitCut.Rows];
    private int _position;
    private int _rows;
    private double _microseconds;

    /// <summary>How the head draws: what is reported beside a token is no part of what is signed.</summary>
    public SamplingSettings Sampling { get; } = open.Sampling with { TopLogprobs = 0 };

    /// <summary>Takes a position, and gives the answer about the unit that it completes. Where it does not follow the last one, a unit begins.</summary>
    /// <param name="position">The position.</param>
    /// <param name="input">The digest of what came in.</param>
    /// <param name="output">The digest of what came out.</param>
    /// <param name="kept">The digest of what it added to the cache.</param>
    /// <param name="microseconds">Compute time spent on it.</param>
    /// <param name="answers">Takes answers.</param>
    public void Add(int position, Digest input, Digest output, Digest kept, double microseconds, List<ISessionMessage> answers)
    {
        if (position != _position + _rows)
        {
            (_position, _rows, _microseconds) = (position, 0, 0);
        }

        (_given[_rows], _out[_rows], _kept[_rows]) = (input, output, kept);
        _rows++;
        _microseconds += microseconds;
        if (position + 1 == UnitCut.EndOf(position))
        {
            Seal(answers);
        }
    }

    /// <summary>Answers about what was not answered about yet, if there is anything; the next position begins a unit.</summary>
    public void Seal(List<ISessionMessage> answers)
    {
        if (_rows > 0)
        {
            var answer = PositionDigest.OfAnswer(open.Audit!.Key, Merkle.Root(_out.AsSpan(0, _rows)), Merkle.Root(_kept.AsSpan(0, _rows)));
            answers.Add(Sign(new UnitRecomputed(
                open.Session, open.Epoch, open.HopIndex, _position, _rows, answer, Merkle.Root(_given.AsSpan(0, _rows)), (int)Math.Min(int.MaxValue, _microseconds))));
            (_position, _rows, _microseconds) = (_position + _rows, 0, 0);
        }
    }

    /// <summary>An answer as it is signed.</summary>
    public UnitRecomputed Sign(UnitRecomputed answer)
        => key is null ? answer : answer with { Signature = ImmutableCollectionsMarshal.AsImmutableArray(key.Sign(answer.ToStatement(open.Cluster))) };
}
