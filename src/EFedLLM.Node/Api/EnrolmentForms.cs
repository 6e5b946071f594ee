namespace EFedLLM.Node.Api;

/// <summary>Answer of <c>GET /efedllm/v1/authority</c> where devices enrol.</summary>
/// <param name="Certificate">The authority's certificate, PEM.</param>
internal sealed record AuthorityAnswer(string Certificate);

/// <summary>Body of <c>POST /efedllm/v1/enrol</c>.</summary>
/// <param name="Invite">The invite's id.</param>
/// <param name="Secret">Its secret, base64.</param>
/// <param name="SigningRequest">The request for a certificate (PKCS #10), base64.</param>
/// <param name="DeviceKey">The device's Ed25519 public key, base64.</param>
/// <param name="Proof">The device's signature of its request, base64.</param>
/// <param name="Name">What the device calls itself.</param>
/// <param name="Time">The device's clock.</param>
internal sealed record EnrolRequest(string Invite, byte[] Secret, byte[] SigningRequest, byte[] DeviceKey, byte[] Proof, string Name, DateTimeOffset Time);

/// <summary>Answer of <c>POST /efedllm/v1/enrol</c>.</summary>
/// <param name="Certificate">The device's certificate, PEM.</param>
/// <param name="Name">What the device is called.</param>
internal sealed record EnrolAnswer(string Certificate, string Name);

/// <summary>Answer of <c>GET /efedllm/v1/standing/{device}</c> where devices enrol.</summary>
/// <param name="Evicted">When the device was evicted, or null where it is not kept out.</param>
internal sealed record StandingAnswer(DateTimeOffset? Evicted);
