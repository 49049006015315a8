//! Rate limits: exactly as many as a policy admits, whoever asks at the same time; and what the refused are told.

use docent::auth::TenantId;
use docent::config::{self, Environment};
use docent::db::{Db, Role};
use docent::error::Error;
use docent::limits::{self, Policy, Standing};

use crate::world::{World, app_url};

const DAY: u32 = 86_400;

fn a_day(name: &'static str, limit: u32) -> Policy {
    Policy { name, limit, window_seconds: DAY }
}

/// One request of a caller, in a transaction of its own, as a look-up would do it.
async fn ask(db: &Db, tenant: TenantId, bucket: &str, narrow: Policy, wide: Policy) -> Result<Standing, Error> {
    let tx = db.tenant(tenant).await?;
    let standing = limits::debit(&tx, bucket, narrow, wide).await;
    tx.commit().await?;
    standing
}

/// Moves a tenant's clock: as if that much time had passed.
async fn wait(world: &World, seconds: f64) {
    let sql = "update rate_bucket set arrival = arrival - make_interval(secs => $1)";
    world.admin().await.execute(sql, &[&seconds]).await.unwrap();
}

#[tokio::test]
async fn a_burst_is_the_limit_and_then_one_comes_at_a_time() {
    let world = World::new().await;
    let (db, tenant) = (&world.files.app.db, world.tenant_a.tenant);
    // 7 does not divide a day: rounding must take nothing away.
    let (narrow, wide) = (a_day("token", 7), a_day("tenant", 1000));
    let step = f64::from(DAY) / 7.0;
    for left in (0..7).rev() {
        let standing = ask(db, tenant, "token:a", narrow, wide).await.unwrap();
        assert_eq!((standing.policy, standing.remaining), (narrow, left));
        let full = (7 - left) as f64 * step;
        assert!((f64::from(standing.reset_seconds) - full).abs() <= 5.0, "{} s until full", standing.reset_seconds);
    }
    let refused = ask(db, tenant, "token:a", narrow, wide).await.unwrap_err();
    assert_eq!((refused.code(), refused.status().as_u16()), ("rate_limited", 429));
    let wait_for = refused.retry_after.unwrap() as f64;
    assert!((step - 60.0..=step + 1.0).contains(&wait_for), "{wait_for}");

    wait(&world, step / 2.0).await;
    assert!(ask(db, tenant, "token:a", narrow, wide).await.is_err(), "half a step early");
    wait(&world, step / 2.0).await;
    assert_eq!(ask(db, tenant, "token:a", narrow, wide).await.unwrap().remaining, 0);
    assert!(ask(db, tenant, "token:a", narrow, wide).await.is_err());
    // Another caller, and another tenant's caller of the same name, have their own.
    assert_eq!(ask(db, tenant, "token:b", narrow, wide).await.unwrap().remaining, 6);
    assert_eq!(ask(db, world.tenant_b.tenant, "token:a", narrow, wide).await.unwrap().remaining, 6);
    // Never more than the limit, however long nobody came.
    wait(&world, f64::from(DAY) * 40.0).await;
    assert_eq!(ask(db, tenant, "token:a", narrow, wide).await.unwrap().remaining, 6);
}

#[tokio::test]
async fn a_tenants_limit_stands_above_those_of_its_callers() {
    let world = World::new().await;
    let (db, tenant) = (&world.files.app.db, world.tenant_a.tenant);
    let (narrow, wide) = (a_day("visitor", 3), a_day("tenant", 5));
    for _ in 0..3 {
        ask(db, tenant, "visitor:a", narrow, wide).await.unwrap();
    }
    // A caller beyond its own limit takes nothing from the others.
    for _ in 0..9 {
        let refused = ask(db, tenant, "visitor:a", narrow, wide).await.unwrap_err();
        assert!(refused.detail.contains("`visitor`"), "{refused}");
    }
    ask(db, tenant, "visitor:b", narrow, wide).await.unwrap();
    ask(db, tenant, "visitor:b", narrow, wide).await.unwrap();
    let refused = ask(db, tenant, "visitor:b", narrow, wide).await.unwrap_err();
    assert!(refused.detail.contains("`tenant` admits 5"), "{refused}");
    assert!(refused.retry_after.unwrap() > 60, "{:?}", refused.retry_after);
    ask(db, world.tenant_b.tenant, "visitor:b", narrow, wide).await.unwrap();
}

/// 64 at once, each from a connection of its own as far as the server has them.
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_admits_exactly_as_many_as_it_says_at_once() {
    let world = World::new().await;
    let config = config::Database { url: app_url(&world.admin_url), pool_size: 24 };
    let (db, tenant) = (Db::new(&config, Role::App).unwrap(), world.tenant_a.tenant);
    for (narrow, wide, admitted) in [(40, 1000, 40), (1, 1000, 1), (1000, 37, 37)] {
        let (narrow, wide) = (a_day("token", narrow), a_day("tenant", wide));
        world.admin().await.batch_execute("delete from rate_bucket").await.unwrap();
        let asked = (0..64).map(|_| ask(&db, tenant, "token:a", narrow, wide));
        let answers = futures_util::future::join_all(asked).await;
        let refused: Vec<&Error> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
        assert!(refused.iter().all(|error| error.code() == "rate_limited"), "{refused:?}");
        assert!(refused.iter().all(|error| error.retry_after.is_some_and(|seconds| seconds >= 1)), "{refused:?}");
        assert_eq!(answers.len() - refused.len(), admitted, "{narrow:?} {wide:?}");
    }
}

#[tokio::test]
async fn an_address_is_admitted_as_often_as_its_policy_says() {
    let world = World::new().await;
    let admin = world.admin().await;
    for most in [1, 7, 9, 60] {
        let mut admitted = 0;
        let who: Vec<u8> = vec![u8::try_from(most).unwrap(); 16];
        for _ in 0..most + 5 {
            let row = admin.query_one("select control.admit($1, $2, 86400)", &[&who, &most]).await.unwrap();
            let millis: i32 = row.get(0);
            admitted += i32::from(millis == 0);
        }
        assert_eq!(admitted, most);
    }
}

#[test]
fn a_process_refuses_to_start_with_a_limit_that_is_none() {
    let environment =
        Environment::default().with("DATABASE_URL", "postgres://a:b@127.0.0.1/c").with("RATE_LIMIT_PER_MINUTE", "0");
    let error = docent::App::new(&environment).err().unwrap();
    assert_eq!(error.variable, "RATE_LIMIT_PER_MINUTE");
}
