using System.Security.Cryptography;
using System.Text;
using EFedLLM.Actors.Identity;
using EFedLLM.Actors.Protocol;

namespace EFedLLM.Actors.Membership;

/// <summary>What a device that was invited sends.</summary>
/// <param name="Invite">The invite's id.</param>
/// <param name="Secret">Its secret.</param>
/// <param name="SigningRequest">The request for its certificate, as <see cref="Identity.SigningRequest.Make"/> made it.</param>
/// <param name="DeviceKey">Its Ed25519 public key.</param>
/// <param name="Proof">The signature of <see cref="Statement(ClusterId, string, ReadOnlySpan{byte})"/> with that key.</param>
/// <param name="Name">What it calls itself.</param>
/// <param name="Time">Its clock.</param>
public sealed record EnrolmentRequest(
    string Invite, ReadOnlyMemory<byte> Secret, ReadOnlyMemory<byte> SigningRequest, ReadOnlyMemory<byte> DeviceKey, ReadOnlyMemory<byte> Proof, string Name, DateTimeOffset Time)
{
    /// <summary>What a device signs to show that it has its key and wants this certificate by this invite.</summary>
    /// <param name="cluster">The cluster that it wants to join.</param>
    /// <param name="invite">The invite's id.</param>
    /// <param name="signingRequest">The request for its certificate.</param>
    public static Statement Statement(ClusterId cluster, string invite, ReadOnlySpan<byte> signingRequest)
        => new(StatementPurpose.Enrolment, cluster, 0, [.. SHA256.HashData(signingRequest), .. Encoding.UTF8.GetBytes(invite)]);

    /// <summary>Whether the device has the key that it shows, and means to join this cluster.</summary>
    /// <param name="cluster">The cluster.</param>
    public bool IsProven(ClusterId cluster) => Identity.DeviceKey.Verify(DeviceKey.Span, Statement(cluster, Invite, SigningRequest.Span), Proof.Span);
}
