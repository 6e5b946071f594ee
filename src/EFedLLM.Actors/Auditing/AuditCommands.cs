using System.Collections.Immutable;
using Akka.Actor;
using EFedLLM.Actors.Pipeline;
using EFedLLM.Actors.Protocol;
using EFedLLM.Actors.Trust;
using EFedLLM.Transformer.Checkpoints;

namespace EFedLLM.Actors.Auditing;

/// <summary>Open the session of a check on a verifier, and follow whether it is there.</summary>
/// <param name="Run">The check.</param>
/// <param name="Route">The route that is checked, with the verifier in the hop's place.</param>
/// <param name="HopIndex">The place.</param>
/// <param name="Refed">Positions after which the head drew nothing.</param>
internal sealed record OpenCheck(AuditRun Run, Route Route, int HopIndex, ImmutableArray<Refed> Refed) : PipelineCommand;

/// <summary>Send a shard a message of a check.</summary>
/// <param name="Shard">The shard.</param>
/// <param name="Message">The message.</param>
internal sealed record TellShard(IActorRef Shard, ISessionMessage Message) : PipelineCommand;

/// <summary>Ask the gateway's own judge for a shard of a range; answered by <see cref="JudgeLent"/>.</summary>
/// <param name="Range">The range.</param>
internal sealed record LendJudge(LayerRange Range) : PipelineCommand, INoSerializationVerificationNeeded;

/// <summary>Tell the ledger's reporter what a check showed.</summary>
/// <param name="Device">Of whom.</param>
/// <param name="Range">What it computed.</param>
/// <param name="Tokens">Positions that were checked.</param>
/// <param name="Facts">What it showed.</param>
internal sealed record ReportCheck(DeviceId Device, LayerRange Range, int Tokens, CheckFacts Facts) : PipelineCommand;

/// <summary>Keep what proves a verdict. The <see cref="ReportCheck"/> of that names it by its hash.</summary>
/// <param name="Bytes">The proof in its stored form (<see cref="WorkProof.ToBytes"/>).</param>
internal sealed record KeepProof(ReadOnlyMemory<byte> Bytes) : PipelineCommand;

/// <summary>Judge to pipeline: a shard to check with, or none.</summary>
/// <param name="Range">The range.</param>
/// <param name="Shard">The LayerShard, or null.</param>
/// <param name="Problem">Why there is none, for people.</param>
internal sealed record JudgeLent(LayerRange Range, IActorRef? Shard, string Problem) : INoSerializationVerificationNeeded;
