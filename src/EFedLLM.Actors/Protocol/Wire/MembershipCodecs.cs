using System.Collections.Immutable;
using Google.Protobuf;
using Form = EFedLLM.Actors.Protocol.Wire.Forms;

namespace EFedLLM.Actors.Protocol.Wire;

/// <summary>Decisions about members.</summary>
internal static class MembershipCodecs
{
    /// <summary>How each travels.</summary>
    public static ImmutableArray<WireCodec> All { get; } =
    [
        WireCodec.Of<SignedRevocation, Form.SignedRevocation>(
            "rv", ProtocolLimits.RevocationBytes + 256, Form.SignedRevocation.Parser, (message, _) => Write(message), (form, _) => Read(form)),
    ];

    /// <summary>A signed decision's form.</summary>
    public static Form.SignedRevocation Write(SignedRevocation message) => new()
    {
        Content = ByteString.CopyFrom(message.Content.Span),
        Signature = ByteString.CopyFrom(message.Signature.Span),
    };

    /// <summary>A signed decision of possible lengths. Its signature is checked by whoever knows the authority.</summary>
    public static SignedRevocation Read(Form.SignedRevocation form)
    {
        Require.Within(form.Content.Length, 1, ProtocolLimits.RevocationBytes, "length of content");
        Require.Within(form.Signature.Length, ProtocolLimits.AuthoritySignatureBytes, ProtocolLimits.AuthoritySignatureBytes, "length of signature");
        return new SignedRevocation(form.Content.Memory, form.Signature.Memory);
    }
}
