import asyncio, sys, time
from sqlalchemy import insert, select, text
from parlance.core.errors import StorageUnavailable
from parlance.store.addresses import read_address
from parlance.store.database import open_database
from parlance.store.migrating import bring_up_to_date
from parlance.store.tables.leases import leases
from tests.fault.outages import KILL

async def test_x(own_postgres):
    db = open_database(read_address(own_postgres.address()), connections=16)
    await bring_up_to_date(db)
    n = 0
    stop = False
    last = time.monotonic()
    count = [0, 0]
    async def work(i):
        nonlocal last, n
        while not stop:
            try:
                if i % 2:
                    async with db.reading() as c:
                        await c.execute(select(leases.c.owner))
                else:
                    async with db.writing() as c:
                        n += 1
                        await c.execute(insert(leases).values(owner=f"01932b1c-0000-7000-8000-{n:012}", expires=1.0))
                last = time.monotonic(); count[0] += 1
            except StorageUnavailable as e:
                count[1] += 1
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.01)
    async def kill():
        while not stop:
            await asyncio.to_thread(own_postgres.sql, KILL)
            await asyncio.sleep(0.3)
    tasks = [asyncio.create_task(work(i)) for i in range(12)]
    k = asyncio.create_task(kill())
    begun = time.monotonic()
    while time.monotonic() - begun < 40:
        await asyncio.sleep(0.2)
        if time.monotonic() - last > 4:
            c = db._writing._circuit
            print("STUCK", count, c._trying, c._outage, c._again_at - time.monotonic())
            for t in asyncio.all_tasks():
                t.print_stack(file=sys.stdout)
            break
    stop = True
    print(count)
    await asyncio.wait([*tasks, k], timeout=5)
    await db.close()
