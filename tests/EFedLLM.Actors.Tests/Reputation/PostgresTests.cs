using EFedLLM.Tests.Support.Databases;

namespace EFedLLM.Actors.Tests.Reputation;

/// <summary>The tests that share one PostgreSQL server, each with a database of its own.</summary>
[CollectionDefinition(Name)]
public sealed class PostgresTests : ICollectionFixture<PostgresFixture>
{
    public const string Name = "postgres";
}
