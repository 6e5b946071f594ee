using System.Runtime.InteropServices;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Protocol.Wire;

namespace EFedLLM.Actors.Reputation;

/// <summary>What makes a report somebody's word: a signature of all that it says, which counts in one cluster.</summary>
internal static class ReportSigning
{
    /// <summary>The report as its reporter's word.</summary>
    public static RecordWork Sign(RecordWork report, DeviceKey key, ClusterId cluster) => report with
    {
        Signed = new ReportSignature([.. key.PublicKey.Span], ImmutableCollectionsMarshal.AsImmutableArray(key.Sign(StatementOf(report, cluster)))),
    };

    /// <summary>Whether a report is the word of whom it names. Whatever it is given, it answers rather than throws.</summary>
    public static bool IsTrulySigned(RecordWork report, ClusterId cluster)
        => report.Signed is { } signed && DeviceKey.Verify(signed.PublicKey.AsSpan(), StatementOf(report, cluster), signed.Signature.AsSpan());

    private static Statement StatementOf(RecordWork report, ClusterId cluster) => new(StatementPurpose.Report, cluster, 0, LedgerCodecs.ContentOf(report));
}
