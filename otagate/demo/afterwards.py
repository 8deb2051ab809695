"""What is asked when all is over: is there what was acknowledged?"""

from concurrent.futures import ThreadPoolExecutor

import requests

from otagate.demo.account import Account, After
from otagate.demo.production import Production


def hello(counted: Account, production: Production) -> After:
    """Each instance whose C-STORE was acknowledged is asked for through the front door."""
    web = production.address("web")

    def found(uid: str) -> bool:
        try:
            return requests.get(f"http://{web}/objects/{uid}", timeout=10).status_code == 200
        except requests.RequestException:
            return False

    with ThreadPoolExecutor(4) as pool:
        return After(missing=sum(not there for there in pool.map(found, counted.kept)))
