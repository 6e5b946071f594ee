using System.Text.Json.Serialization;

namespace EFedLLM.Node.Api;

/// <summary>How the native interface is written: camelCase, one line an object. Both sides use it.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(GenerateRequest))]
[JsonSerializable(typeof(IReadOnlyList<EFedLLM.Node.Bench.BenchSample>))]
[JsonSerializable(typeof(EFedLLM.Node.Supervision.UpReport))]
[JsonSerializable(typeof(LeaderResult))]
[JsonSerializable(typeof(CertResult))]
[JsonSerializable(typeof(IReadOnlyList<MemberFacts>))]
[JsonSerializable(typeof(IReadOnlyList<ModelFacts>))]
[JsonSerializable(typeof(IReadOnlyList<DeviceFacts>))]
[JsonSerializable(typeof(PromptAnswer))]
[JsonSerializable(typeof(TokenizeResult))]
[JsonSerializable(typeof(EvalResult))]
[JsonSerializable(typeof(IReadOnlyList<EvalRow>))]
[JsonSerializable(typeof(CompressResult))]
[JsonSerializable(typeof(GenerateEvent))]
[JsonSerializable(typeof(ClusterFacts))]
[JsonSerializable(typeof(LedgerFacts))]
[JsonSerializable(typeof(LedgerDevice))]
[JsonSerializable(typeof(AppealRequest))]
[JsonSerializable(typeof(AppealResult))]
[JsonSerializable(typeof(IReadOnlyList<EFedLLM.Node.Doctor.Finding>))]
[JsonSerializable(typeof(LeaveFacts))]
[JsonSerializable(typeof(LeaveResult))]
[JsonSerializable(typeof(InviteRequest))]
[JsonSerializable(typeof(InviteResult))]
[JsonSerializable(typeof(InviteFacts))]
[JsonSerializable(typeof(IReadOnlyList<InviteFacts>))]
[JsonSerializable(typeof(EvictRequest))]
[JsonSerializable(typeof(EvictResult))]
[JsonSerializable(typeof(IReadOnlyList<EvictedFacts>))]
[JsonSerializable(typeof(AuthorityAnswer))]
[JsonSerializable(typeof(EnrolRequest))]
[JsonSerializable(typeof(EnrolAnswer))]
[JsonSerializable(typeof(StandingAnswer))]
[JsonSerializable(typeof(PlanFacts))]
[JsonSerializable(typeof(IReadOnlyList<SimulationRow>))]
[JsonSerializable(typeof(TrustFiguresFacts))]
[JsonSerializable(typeof(ProofFacts))]
[JsonSerializable(typeof(WorkFacts))]
[JsonSerializable(typeof(IReadOnlyList<EFedLLM.Node.Bench.TrustSample>))]
internal sealed partial class ApiJson : JsonSerializerContext;
